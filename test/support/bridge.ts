import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { afterAll } from 'vitest';
import { runCommandHere, startCommand } from './command.ts';
import type { TestServer } from './server.ts';

/** A bridge as a user runs it, in a process of its own. */
export interface RunningBridge {
  /** `unix:PATH` or `http://127.0.0.1:PORT`. */
  readonly address: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** What it wrote to standard error so far. */
  readonly talk: () => string;
  /** Ends it and answers its exit code. */
  stop(): Promise<number | null>;
}

// A test that fails does not get to stop its bridge.
const running: ChildProcessWithoutNullStreams[] = [];
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Makes the profile `default` for a client of this server, and registers the API. */
export async function bridgeProfile(
  folder: string,
  server: Pick<TestServer, 'issuer' | 'admin'>,
  origin: string,
): Promise<void> {
  const secret = 's'.repeat(32);
  await server.admin('POST', 'resource-servers', { audience: origin, scopes: ['read'] });
  await server.admin('POST', 'clients', { client_id: 'app', client_secret: secret });
  const profile = ['--issuer', server.issuer, '--client-id', 'app', '--resource', origin];
  const set = ['profile', 'set', 'default', ...profile, '--client-secret-file', '-'];
  const { code, stderr } = await runCommandHere(folder, set, { input: secret });
  if (code !== 0) throw new Error(stderr);
}

/** Starts a bridge and waits until it listens. Throws what it said when it ends before that. */
export async function startBridge(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningBridge> {
  // Nonces of a run before would spare what is to be tested.
  rmSync(join(folder, 'state'), { recursive: true, force: true });
  const state = { XDG_STATE_HOME: join(folder, 'state'), XDG_RUNTIME_DIR: '' };
  const child = startCommand(folder, ['bridge', ...args], { ...state, ...env });
  running.push(child);
  let talk = '';
  child.stderr.on('data', (chunk: Buffer) => (talk += chunk.toString()));
  const ended = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const first = await Promise.race([once(lines, 'line'), ended.then(() => undefined)]);
  if (first === undefined) throw new Error(talk);
  return {
    address: String(first[0]),
    child,
    talk: () => talk,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      return child.exitCode;
    },
  };
}
