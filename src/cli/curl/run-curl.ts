import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Terminal } from '../terminal.ts';
import { redacted } from './redact.ts';

/** One run of the real curl. */
export interface CurlRun {
  readonly args: readonly string[];
  /** Header fields, one a line; they go through a pipe, since everybody can read arguments. */
  readonly fields: string;
  /** Texts that the talk of `-v` must not show; undefined: curl does not talk. */
  readonly secrets: readonly string[] | undefined;
  /**
   * Whether what curl writes is for the user; undefined: it is too early to say. Asked after each
   * piece of output until it is known; what cannot be told of 1 MiB is for the user.
   */
  readonly wanted: () => Promise<boolean | undefined>;
}

/**
 * curl opens `/dev/fd/3`, for which it must be a pipe, and Node.js makes sockets: `cat` makes one
 * of the other. 4 tells the process id, for signals; 5 is the user's standard input.
 */
const script = `cat <&3 | exec sh -c 'echo $$ >&4; exec curl "$@" 3<&0 <&5 4>&- 5<&-' curl "$@"`;
/** Bytes of an answer that are held until it is known whether it is wanted. */
export const heldAtMost = 1024 * 1024;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs curl with standard input of this process. Answers its exit status. */
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
  // curl may end before it has read them.
  headers.on('error', () => undefined);
  headers.end(fields);
  const talk = child.stderr?.pipe(redacted(secrets ?? []));
  talk?.pipe(stderr, { end: false });
  try {
    // A shell talks about a process that another signal ended.
    await handOn(child.stdout as Readable, stdout, wanted, () => kill('SIGINT'));
    const [code] = await closed;
    if (talk !== undefined) await finished(talk);
    return code ?? 1;
  } finally {
    kill.end();
  }
}

/** Hands signals to this process on to curl; answers what sends one. */
function signalling(child: ChildProcess): ((signal: NodeJS.Signals) => void) & { end(): void } {
  let pid: number | undefined;
  (child.stdio[4] as Readable).once('data', (line: Buffer) => {
    pid = Number(line.toString());
  });
  const kill = (signal: NodeJS.Signals) => {
    try {
      if (child.exitCode === null && pid !== undefined) process.kill(pid, signal);
    } catch {
      // It has ended by itself.
    }
  };
  for (const signal of signals) process.on(signal, kill);
  return Object.assign(kill, {
    end: () => {
      for (const signal of signals) process.off(signal, kill);
    },
  });
}

/** Hands output on from when it is known that it is wanted. */
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
