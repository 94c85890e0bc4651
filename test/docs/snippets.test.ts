import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { packedLibraries } from '../support/packed.ts';
import { freePort } from '../support/ports.ts';
import { scratchFolder } from '../support/scratch.ts';

const project = join(import.meta.dirname, '../..');
const ports = { '8080': '', '8081': '', '3000': '' };
const children: ChildProcess[] = [];
let folder = '';
const env = () => ({
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  // Its programs are the same in every run.
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
});

/** A block of a page, with the ports of this run in place of those of the page. */
function blocks(page: string): readonly { readonly language: string; readonly code: string }[] {
  const text = readFileSync(join(project, page), 'utf8').replace(
    /\b(8080|8081|3000)\b/g,
    (port) => ports[port as keyof typeof ports],
  );
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = '']) => ({
    language,
    code,
  }));
}

/** Starts a program and waits until it writes these words. */
async function start(args: readonly string[], words: RegExp, more = {}): Promise<string> {
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...env(), ...more } });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  while (!words.test(output)) {
    if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended:\n${output}`);
    await sleep(20);
  }
  return output;
}

/** What `npm start` starts, in a new folder, with free ports. */
async function startHoldfast(): Promise<string> {
  folder = scratchFolder();
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  for (const port of ['8080', '8081', '3000'] as const) ports[port] = String(await freePort());
  const command = [join(project, 'bin/holdfast.js'), 'serve', '--data-directory', 'data'];
  return start(command, /first-token -- \S+ first-client\n/, {
    PORT: ports['8080'],
    ADMIN_PORT: ports['8081'],
  });
}

async function shell(script: string, more = {}): Promise<string> {
  const { stdout } = await promisify(execFile)('bash', ['-ec', script], {
    cwd: folder,
    env: { ...env(), ...more },
  });
  return stdout;
}

// To pack them writes anew what the programs of the pages import: not while these run.
beforeAll(async () => void (await packedLibraries()));
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGTERM');
    while (child.exitCode === null && child.signalCode === null) await sleep(10);
  }
  rmSync(folder, { recursive: true, force: true });
});

describe('the documentation runs as it is written', { timeout: 180_000 }, () => {
  it('README.md: the client gets through to the resource server', async () => {
    const printed = await startHoldfast();
    const [api = '', client = ''] = blocks('README.md')
      .filter(({ language }) => language === 'js')
      .map(({ code }) => code);
    writeFileSync(join(folder, 'client.mjs'), client);
    writeFileSync(join(folder, 'api.mjs'), `${api}console.log('listening');`);
    const [, steps = ''] = /client:\n\n([\s\S]*)\n2\. /.exec(printed) ?? [];
    await start(['api.mjs'], /listening/);
    expect(await shell(`{ ${steps}\n} >/dev/null\nnode client.mjs`)).toBe(
      "200 { presenter: 'first-client' }\n",
    );
  });

  it('docs/tutorials/protect-an-api.md: every step, and the thief gets 401', async () => {
    await startHoldfast();
    mkdirSync(join(folder, 'tutorial'));
    const steps = blocks('docs/tutorials/protect-an-api.md');
    for (const { language, code } of steps) {
      const [, path] = /^\/\/ (tutorial\/\S+\.mjs)\n/.exec(code) ?? [];
      if (language === 'js' && path !== undefined) writeFileSync(join(folder, path), code);
    }
    const scripts = steps.filter(({ language }) => language === 'sh').map(({ code }) => code);
    const [run, register = '', api = '', call = '', steal = '', look = '', ...more] = scripts;
    expect([run, more]).toEqual(['npm ci && npm start\n', []]);
    const expected = steps
      .filter(({ language }) => language === 'text')
      .map(({ code }) => code.trim().split('\n'));
    expect(await shell(register)).toMatch(/"client_id":"dashboard"/);
    expect(api).toMatch(/^node tutorial\/api\.mjs\n$/);
    await start(['tutorial/api.mjs'], /The API listens on/);
    for (const [index, script] of [call, steal].entries()) {
      const lines = (await shell(script)).trim().split('\n');
      const beginnings = (expected[index] ?? []).map((line) =>
        expect.stringMatching(`^${escaped(line)}`),
      );
      expect(lines).toEqual(beginnings);
    }
    expect(await shell(look)).toMatch(/cnf: \{ jkt: '[\w-]{43}' \}/);
  });
});

/** The pattern of a line, whose end the page may leave out. */
function escaped(text: string): string {
  return text.replace(/…$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
