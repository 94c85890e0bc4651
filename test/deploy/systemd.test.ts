import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { variableNames } from '../../src/config/variable-names.ts';
import { firstTokenType } from '../support/first-token.ts';
import { needs } from '../support/left-out.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';

const root = join(import.meta.dirname, '../..');
const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const launcher = join(root, 'bin/holdfast.js');
const unit = readFileSync(join(root, 'deploy/systemd/holdfast.service'), 'utf8');
const page = readFileSync(join(root, 'docs/operations/systemd.md'), 'utf8');
const settings = (name: string) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

const run = async (program: string, args: readonly string[]) =>
  promisify(execFile)(program, args).then(
    ({ stdout, stderr }) => ({ status: 0, words: stdout + stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      status: code,
      words: stdout + stderr,
    }),
  );

/** What systemd-analyze says of the unit, with the command where it is on this machine. */
async function analyze(args: readonly string[], text = unit) {
  const file = join(folder, 'holdfast.service');
  writeFileSync(file, text.replace('ExecStart=holdfast', `ExecStart=${launcher}`));
  return run('systemd-analyze', [...args, file]);
}

describe.skipIf(!needs.systemd.isHere())('deploy/systemd/holdfast.service', () => {
  it('passes systemd-analyze verify without a word', async () => {
    expect(await analyze(['verify', '--man=no'])).toEqual({ status: 0, words: '' });
    const misspelt = unit.replace('ProtectHome=', 'ProtectHouse=');
    expect((await analyze(['verify', '--man=no'], misspelt)).words).toMatch(/ProtectHouse/);
  });

  it('is exposed by 1.2 of 10 at most, as systemd-analyze security counts', async () => {
    const security = ['security', '--offline=true', '--no-pager', '--threshold=12'];
    expect(await analyze(security)).toMatchObject({ status: 0 });
    const weaker = unit.replace(/^(?:DynamicUser|PrivateUsers)=.*\n/gm, '');
    expect(await analyze(security, weaker)).not.toMatchObject({ status: 0 });
  });

  it.skipIf(!needs.strace.isHere())(
    'its command issues a token with two workers, by system calls that its filter lets through',
    async () => {
      const [program, ...args] = (settings('ExecStart')[0] ?? '').split(' ');
      expect(program).toBe('holdfast');
      const expected = ['socket', 'openat', 'futex'];
      const data = join(folder, 'data');
      mkdirSync(data);
      const calls = join(folder, 'calls');
      const command = args.map((arg) => arg.replace('/var/lib/holdfast', data));
      const allowed = await allowedCalls();
      // To stop at every call takes long: not at those that may be made, except for a few.
      const unwatched = [...allowed].filter((call) => !expected.includes(call));
      const trace = `trace=!${unwatched.map((call) => `?${call}`).join()}`;
      const strace = ['strace', '-f', '--seccomp-bpf', '-c', '-U', 'name', '-o', calls] as const;
      const server = await startProcess({ WORKERS: '2' }, await freeAddress(), {
        program: [...strace, '-e', trace, process.execPath, launcher, ...command],
        group: true,
      });
      try {
        expect(await firstTokenType(server)).toBe('DPoP');
      } finally {
        await server.end('SIGTERM');
      }
      const made = readFileSync(calls, 'utf8')
        .split('\n')
        .filter((line) => /^\w+$/.test(line) && line !== 'syscall' && line !== 'total');
      expect(made).toEqual(expect.arrayContaining(expected));
      expect(allowed.has('reboot')).toBe(false);
      // SQLite keeps the owner of its files when it is root, which the tests may be and the unit is
      // not.
      const onlyAsRoot = process.getuid?.() === 0 ? ['fchown'] : [];
      const refused = made.filter((call) => !allowed.has(call));
      expect(refused.filter((call) => !onlyAsRoot.includes(call))).toEqual([]);
    },
  );
});

it('every variable that its page sets is one of Holdfast', () => {
  const block = /```sh\n# \/etc\/holdfast\/holdfast\.env\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const credentials = [...page.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name);
  const names = [...block.matchAll(/^#? ?([A-Z_]+)=/gm)].map(([, name]) => name);
  expect([names.length > 2, credentials.length > 2]).toEqual([true, true]);
  const strange = [...names, ...credentials].filter(
    (name) => !(variableNames as readonly (string | undefined)[]).includes(name),
  );
  expect(strange).toEqual([]);
});

/** The system calls that the unit's filter allows, its groups resolved by systemd itself. */
async function allowedCalls(): Promise<ReadonlySet<string>> {
  const groups = new Map<string, readonly string[]>();
  const args = ['syscall-filter', '--no-pager'];
  const { stdout } = await promisify(execFile)('systemd-analyze', args);
  for (const group of stdout.split(/\n(?=@)/)) {
    const [name = '', ...members] = group.split('\n').map((line) => line.trim());
    groups.set(
      name,
      members.filter((member) => /^@?[\w-]+$/.test(member)),
    );
  }
  const callsOf = (name: string): readonly string[] =>
    name.startsWith('@') ? (groups.get(name) ?? []).flatMap(callsOf) : [name];
  const allowed = new Set<string>(callsOf('@default'));
  for (const filter of settings('SystemCallFilter')) {
    const names = filter.replace('~', '').split(' ').flatMap(callsOf);
    for (const name of names) {
      if (filter.startsWith('~')) allowed.delete(name);
      else allowed.add(name);
    }
  }
  return allowed;
}
