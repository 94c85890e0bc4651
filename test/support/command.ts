import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { runCommand as runProgram } from '../../src/cli/program.ts';

/** How the command ended. */
export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the command gets beside its arguments. */
export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
}

const launcher = join(import.meta.dirname, '../../bin/holdfast.js');

/** Variables under which profiles and keys lie in this folder. */
function homeIn(folder: string): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
  };
}

/** Starts `holdfast` as a process whose profiles and keys lie in this folder. */
export function startCommand(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  uid?: number,
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [launcher, ...args], {
    env: { ...homeIn(folder), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
}

/** Runs `holdfast` to its end, with this standard input, and as this user if there is one. */
export async function runCommand(
  folder: string,
  args: readonly string[],
  { env = {}, input = '', uid }: CommandOptions & { readonly uid?: number } = {},
): Promise<CommandRun> {
  const child = startCommand(folder, args, env, uid);
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    child.exitCode ?? once(child, 'exit'),
  ]);
  return { code: child.exitCode, stdout: stdout.toString(), stderr };
}

/**
 * Runs `holdfast` in this process, which takes a tenth of the time: for subcommands that call a
 * server and read or write small files.
 */
export async function runCommandHere(
  folder: string,
  args: readonly string[],
  { env = {}, input = '' }: CommandOptions = {},
): Promise<CommandRun> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written = Promise.all([text(stdout), text(stderr)]);
  const terminal = { stdin: Readable.from([input]), stdout, stderr, clock: Date.now };
  const code = await runProgram(args, { ...terminal, env: { ...homeIn(folder), ...env } }, '0.0.0');
  for (const stream of [stdout, stderr]) stream.end();
  const [out, err] = await written;
  return { code, stdout: out, stderr: err };
}
