import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';

/** How the command ended. */
export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const launcher = join(import.meta.dirname, '../../bin/holdfast.js');

/** Starts `holdfast` as a process whose profiles and keys lie in this folder. */
export function startCommand(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  uid?: number,
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [launcher, ...args], {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      XDG_DATA_HOME: join(folder, 'data'),
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
}

/** Runs `holdfast` to its end, with this standard input, and as this user if there is one. */
export async function runCommand(
  folder: string,
  args: readonly string[],
  {
    env = {},
    input = '',
    uid,
  }: { env?: Readonly<Record<string, string>>; input?: string | Buffer; uid?: number } = {},
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
