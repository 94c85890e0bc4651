import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Whether a process can be held to one core (util-linux). */
const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** Starts a script of this project on one core, when there is one to choose. */
export function forkOn(
  core: number | undefined,
  script: string,
  nodeOptions: readonly string[],
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const pinned = canPin && core !== undefined;
  return fork(join(import.meta.dirname, script), {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    ...(pinned
      ? { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath, ...nodeOptions] }
      : { execArgv: [...nodeOptions] }),
  });
}

/** Sends a message and waits for the answer to it. */
export async function told<Answer>(child: ChildProcess, message: object): Promise<Answer> {
  const answer = once(child, 'message');
  child.send(message);
  return ((await answer) as [Answer])[0];
}

const tick = 1e6 / Number(spawnSync('getconf', ['CLK_TCK']).stdout.toString());

/** CPU time of a process and its children so far, user and system, in microseconds (Linux). */
export function cpuTime(pid: number): number {
  const family = [pid, ...childrenOf(pid)];
  return family.reduce((sum, one) => {
    const stat = readFileSync(`/proc/${one}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * tick;
  }, 0);
}

function childrenOf(pid: number): readonly number[] {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).flatMap((task) =>
    readFileSync(`${tasks}/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
}
