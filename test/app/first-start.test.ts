import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../support/server.ts';

const project = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), "holdfast-first's-"));
const path = `${dirname(process.execPath)}:${process.env['PATH']}`;
const env = { PATH: path, PORT: '0', ADMIN_PORT: '0' };
const main = join(project, 'dist/main.js');
async function node(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, args, {
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  const ended = once(child, 'exit');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status: child.exitCode, stdout, stderr };
}

describe.concurrent('the command line', () => {
  it.for([
    [['--help'], 0, /^Examples:[\s\S]*\nUsage: holdfast /, /^$/],
    [['serve', '-h'], 0, /ADMIN_TOKEN_FILE/, /^$/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [['--port=1'], 2, /^$/, /^error: unknown option '--port=1'/],
    [['1'], 2, /^$/, /^error: unknown command '1'/],
    [['serve', 'x'], 2, /^$/, /^error: too many arguments for 'serve'/],
  ] as const)('%j', { timeout: 60_000 }, async ([args, code, out, err], { expect }) => {
    expect(await node([main, ...args], { DATABASE_URL: 'nothing is read' })).toMatchObject({
      status: code,
      stdout: expect.stringMatching(out),
      stderr: expect.stringMatching(err),
    });
  });
});

it.each([
  ['0.0.0.0', 'http://127.0.0.1:'],
  ['::', 'http://[::1]:'],
  ['localhost', 'http://localhost:'],
])('a start that listens on %s prints an address that can be opened', async (host, shown) => {
  const server = await testServer({ env: { ADMIN_HOST: host } });
  expect(server.printed.join('')).toContain(`admin API  ${shown}`);
  await server.stop();
});

describe('a first start in a folder that others may read', { timeout: 120_000 }, () => {
  let output = '';
  let stop: () => Promise<void>;
  beforeAll(async () => {
    chmodSync(folder, 0o755);
    const child = spawn(process.execPath, [main], {
      env: { ...env, DATABASE_URL: `file:${join(folder, 'first.db')}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = once(child, 'exit');
    stop = async () => {
      child.kill('SIGTERM');
      await ended;
    };
    while (!/first-token -- \S+ first-client\n/.test(output) && child.exitCode === null)
      await sleep(50);
  }, 120_000);
  afterAll(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  // What Node.js makes of the TypeScript is kept from one to the next.
  const { NODE_COMPILE_CACHE = '' } = process.env;
  const firstToken = async (secret: string, ...args: readonly string[]) =>
    node([join(project, 'examples/first-token.ts'), ...args], {
      CLIENT_SECRET: secret,
      NODE_COMPILE_CACHE,
    });
  const issuer = () => /issuer +(\S+)/.exec(output)?.[1] ?? '';

  it('every file of it is readable by its user only', () => {
    const modes = readdirSync(folder).map((name) => [
      name,
      (statSync(join(folder, name)).mode & 0o777).toString(8),
    ]);
    expect(Object.fromEntries(modes)).toMatchObject({
      'first.db': '600',
      'first.db-wal': '600',
      'first.db-shm': '600',
      'first.key-encryption-key': '600',
      'holdfast.admin-token': '600',
    });
    expect(modes.filter(([, mode]) => mode !== '600')).toEqual([]);
  });
  it('no secret goes to the stream that carries the log; the admin token is in its file', () => {
    const token = readFileSync(join(folder, 'holdfast.admin-token'), 'utf8');
    expect(token).toMatch(/^hfadm_[\w-]{43}\n$/);
    expect(output).not.toMatch(/hfadm_/);
    expect(output).toMatch(/admin token {2}in \S+\/holdfast\.admin-token\n/);
  });
  it('the issuer names the port that was bound, and the printed steps work word for word', async () => {
    expect(issuer()).toMatch(/^http:\/\/localhost:[1-9]\d+$/);
    const [, steps = '', last = ''] =
      /client:\n\n([\s\S]*)\n2\. .*\n\n {2}npm run -s (first-token -- .*)\n/.exec(output) ?? [];
    // As `npm run -s first-token` does, without npm.
    const script = `set -e\n${steps}\nnode ${project}/examples/first-token.ts ${last.replace('first-token -- ', '')}`;
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { env });
    expect(stdout).toMatch(/The signature verifies, and cnf\.jkt is the thumbprint/);
  });
  it.concurrent.for([
    ['no argument', 's', [], 2, /^Usage: CLIENT_SECRET=/],
    ['no client', 's', ['ISSUER'], 2, /^Usage: CLIENT_SECRET=/],
    ['no URL', 's', ['localhost:8080', 'x'], 2, /must be the issuer's URL/],
    ['no secret', '', ['ISSUER', 'x'], 2, /has no CLIENT_SECRET/],
    [
      'nobody there',
      's',
      ['http://127.0.0.1:1', 'x'],
      1,
      /^Nothing answers at .* Is the server running/,
    ],
    ['another path', 's', ['ISSUER/x', 'x'], 1, /answered 404: there is no authorization server/],
    ['another spelling', 's', ['ISSUER/', 'x'], 1, /calls itself http:\/\/localhost:\d+: use that/],
    ['an unknown client', 's', ['ISSUER', 'x'], 1, /^No token\. Is the client x registered/],
    ['an argument too many', 's', ['ISSUER', 'x', 'y', 'z'], 2, /^Usage:/],
  ] as const)(
    'first-token: %s: a sentence',
    async ([_, secret, args, code, sentence], { expect }) => {
      const { status, stderr } = await firstToken(
        secret,
        ...args.map((word) => word.replace('ISSUER', issuer())),
      );
      expect([status, stderr]).toEqual([code, expect.stringMatching(sentence)]);
      expect(stderr).not.toMatch(/\n\s+at /);
    },
  );
  it('another database in the same folder does not take the place of the admin token', async () => {
    const before = readFileSync(join(folder, 'holdfast.admin-token'), 'utf8');
    const { status, stderr } = await node([main], {
      DATABASE_URL: `file:${join(folder, 'second.db')}`,
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/holdfast\.admin-token is there already, but this database has no/),
    ]);
    expect(readFileSync(join(folder, 'holdfast.admin-token'), 'utf8')).toBe(before);
    expect(readdirSync(folder).filter((name) => name.startsWith('holdfast.'))).toHaveLength(1);
  });
});
