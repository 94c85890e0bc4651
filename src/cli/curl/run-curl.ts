import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Terminal } from '../terminal.ts';
import { redacted } from './redact.ts';

/** One run of the real curl. */
export interface CurlRun {
  readonly args: readonly string[];
  /** Header fields, one per line; sent through a pipe, since arguments are visible to everybody. */
  readonly fields: string;
  /** Secrets to hide in the output of `-v`; undefined: there is no such output. */
  readonly secrets: readonly string[] | undefined;
  /**
   * Whether curl's output is for the user; undefined: not known yet. Called after each chunk until
   * it is known; output still undecided after 1 MiB is for the user.
   */
  readonly wanted: () => Promise<boolean | undefined>;
}

/**
 * curl opens `/dev/fd/3`, which must be a pipe but is a socket in Node.js, so `cat` converts it. 4
 * carries the process id, for signals; 5 is the user's standard input.
 */
const script = `cat <&3 | exec sh -c 'echo $$ >&4; exec curl "$@" 3<&0 <&5 4>&- 5<&-' curl "$@"`;
/** Maximum bytes of an answer held until it is known whether it is wanted. */
export const heldAtMost = 1024 * 1024;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs curl with standard input of this process. Returns its exit status. */
export async function runCurl(
  { env, stdout, stderr }: Pick<Terminal, 'env' | 'stdout' | 'stderr'>,
  { args, fields, secrets, wanted }: CurlRun,
): Promise<number> {
  const child = spawn('/bin/sh', ['-c', script, 'curl', ...args], {
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('HOLDFAST_'))),
    stdio: ['ignore', 'pipe', secrets === undefined ? 'inherit' : 'pipe', 'pipe', 'pipe', 0],
  });
  const closed = once(child, 'close') as Promise<[code: number | null]>;
  const kill = signalling(child);
  const headers = child.stdio[3] as Writable;
  // curl may exit before reading them.
  headers.on('error', () => undefined);
  headers.end(fields);
  const talk = child.stderr?.pipe(redacted(secrets ?? []));
  talk?.pipe(stderr, { end: false });
  try {
    // SIGINT, because a shell reports a process that was ended by another signal.
    await handOn(child.stdout as Readable, stdout, wanted, () => kill('SIGINT'));
    const [code] = await closed;
    if (talk !== undefined) await finished(talk);
    return code ?? 1;
  } finally {
    kill.end();
  }
}

/** Forwards this process's signals to curl; returns a function that sends one. */
function signalling(child: ChildProcess): ((signal: NodeJS.Signals) => void) & { end(): void } {
  let pid: number | undefined;
  (child.stdio[4] as Readable).once('data', (line: Buffer) => {
    pid = Number(line.toString());
  });
  const kill = (signal: NodeJS.Signals) => {
    try {
      if (child.exitCode === null && pid !== undefined) process.kill(pid, signal);
    } catch {
      // The process has exited already.
    }
  };
  for (const signal of signals) process.on(signal, kill);
  return Object.assign(kill, {
    end: () => {
      for (const signal of signals) process.off(signal, kill);
    },
  });
}

/** Passes output on once it is known to be wanted. */
async function handOn(
  from: Readable,
  to: Writable,
  wanted: CurlRun['wanted'],
  stop: () => void,
): Promise<void> {
  const held: Buffer[] = [];
  const write = async () => {
    for (const part of held.splice(0)) if (!to.write(part)) await once(to, 'drain');
  };
  let known: boolean | undefined;
  let bytes = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    held.push(chunk);
    bytes += chunk.length;
    known ??= (await wanted()) ?? (bytes > heldAtMost ? true : undefined);
    if (known === false) return stop();
    if (known === true) await write();
  }
  if (known === undefined && (await wanted()) !== false) await write();
}
