import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { goPath, needs, python } from '../support/left-out.ts';
import { freePort } from '../support/ports.ts';
import { buildJava, javaProgram } from './java.ts';

const examples = join(import.meta.dirname, '../../examples');

/** How the examples of a language are run. */
export interface Language {
  readonly name: string;
  /** Whether this machine has it; `leftOut` says how to get it. */
  readonly here: boolean;
  /** Builds what has no command without that: comes before the others. */
  readonly build?: () => Promise<void>;
  /** The command of the client. */
  client(): readonly [string, ...string[]];
  /** The command of the resource server, if there is one. */
  readonly resourceServer?: () => readonly [string, ...string[]];
}

/** Every language that has an example. */
export const languages: readonly Language[] = [
  {
    name: 'shell',
    here: true,
    client: () => ['sh', join(examples, 'shell/client.sh')],
  },
  {
    name: 'Python',
    here: needs.python.isHere(),
    client: () => [python ?? '', join(examples, 'python/client.py')],
    resourceServer: () => [python ?? '', join(examples, 'python/resource_server.py')],
  },
  {
    name: 'Go',
    here: needs.go.isHere(),
    client: () => [goProgram('client')],
    resourceServer: () => [goProgram('resource-server')],
  },
  {
    name: 'Java',
    here: needs.java.isHere(),
    build: buildJava,
    client: () => javaProgram('Client'),
    resourceServer: () => javaProgram('ResourceServer'),
  },
  {
    name: 'Ruby',
    here: needs.ruby.isHere(),
    client: () => ['ruby', join(examples, 'ruby/client.rb')],
  },
  {
    name: 'PHP',
    here: needs.php.isHere(),
    client: () => ['php', join(examples, 'php/client.php')],
  },
];

/** An example's exit code, 0 for success, and its output. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client until it ends. */
export async function runClient(
  [program, ...args]: readonly [string, ...string[]],
  url: string,
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const own = { PATH: process.env['PATH'] };
  return promisify(execFile)(program, [...args, url], { env: { ...own, ...env } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Outcome) => error,
  );
}

/** A resource server that runs. */
export interface RunningExample {
  readonly origin: string;
  /** Everything that it wrote. */
  readonly output: () => string;
  stop(): Promise<void>;
}

/** Starts a resource server, and waits until it listens. Throws what it wrote if it ends. */
export async function startResourceServer(
  [program, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<RunningExample> {
  const port = String(await freePort());
  const origin = `http://127.0.0.1:${port}`;
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ORIGIN: origin, PORT: port, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  while ((await fetch(origin).catch(() => undefined)) === undefined) {
    if (child.exitCode !== null) throw new Error(output);
    await sleep(20);
  }
  return {
    origin,
    output: () => output,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Builds a program with the packages that Debian installs, so nothing is fetched. */
function goProgram(name: string): string {
  const built = join(process.env['TEST_BUILT'] ?? '', `go-${name}`);
  if (existsSync(built)) return join(built, name);
  const folder = mkdtempSync(`${built}-`);
  execFileSync('go', ['build', '-o', join(folder, name), 'main.go'], {
    cwd: join(examples, 'go', name),
    env: { ...process.env, GO111MODULE: 'off', GOPATH: goPath, GOFLAGS: '' },
  });
  try {
    renameSync(folder, built);
  } catch {
    // Another process was first. What is built here is as good.
    return join(folder, name);
  }
  return join(built, name);
}
