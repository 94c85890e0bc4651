import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.ts';
import { adminToken } from './server.ts';

/** The server as an operator runs it: a process of its own, with the real clock. */
export interface ServerProcess {
  readonly url: string;
  readonly adminUrl: string;
  /** Everything that it wrote to its terminal so far. */
  readonly output: () => string;
  /** Resolves when it has written this to its terminal. */
  said(words: RegExp): Promise<void>;
  readonly child: ChildProcess;
  /** Ends it by this signal and answers its exit code, null when the signal killed it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** An issuer with free ports behind it; a restarted process keeps both. */
export async function freeAddress(): Promise<{
  readonly port: number;
  readonly adminPort: number;
}> {
  return { port: await freePort(), adminPort: await freePort() };
}

/** How it is started, when not from dist/. */
export interface ProcessOptions {
  readonly program: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Signals go to all that the program started, as a terminal sends them. */
  readonly group?: boolean;
}

const fromDist = [process.execPath, join(import.meta.dirname, '../../dist/main.js')] as const;

/** Starts the process and waits until it is ready. Throws what it said when it ends before that. */
export async function startProcess(
  env: Readonly<Record<string, string>>,
  address: { port: number; adminPort: number },
  { program: [program, ...args], cwd, group = false }: ProcessOptions = {
    program: fromDist,
  },
): Promise<ServerProcess> {
  const url = `http://127.0.0.1:${address.port}`;
  const child = spawn(program, args, {
    cwd,
    detached: group,
    env: {
      PATH: process.env['PATH'],
      ISSUER: url,
      HOST: '127.0.0.1',
      PORT: String(address.port),
      ADMIN_PORT: String(address.adminPort),
      ADMIN_TOKEN: adminToken,
      LOG_LEVEL: 'debug',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // Another server may have had the port before: it is this one only when it says so itself.
  const ready = async () =>
    output.includes('listening at') &&
    (await fetch(`${url}/health/ready`).catch(() => undefined))?.status === 200;
  while (!(await ready())) {
    if (child.exitCode !== null)
      throw new Error(`the process ended with ${child.exitCode}:\n${output}`);
    await sleep(20);
  }
  return {
    url,
    adminUrl: `http://127.0.0.1:${address.adminPort}/admin`,
    output: () => output,
    async said(words) {
      while (!words.test(output)) await sleep(10);
    },
    child,
    async end(signal) {
      if (child.exitCode !== null) return child.exitCode;
      const ended = once(child, 'exit');
      if (group && child.pid !== undefined) process.kill(-child.pid, signal);
      else child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}
