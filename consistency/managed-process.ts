import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that faults can affect. */
export interface ManagedProcess {
  readonly name: string;
  /** Starts it and waits until it is ready. */
  start(): Promise<void>;
  /** Kills it and waits until it has ended. */
  kill(): Promise<void>;
  /** Stops it with all its children (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** The current process. */
  child(): ChildProcess | undefined;
}

/** How to start a process and to tell that it is ready. */
export interface ManagedProcessOptions {
  readonly name: string;
  readonly spawn: () => ChildProcess;
  readonly ready: () => Promise<boolean>;
  /** Path of its log. */
  readonly log: string;
  /** Default: SIGKILL. Another signal for processes whose children would outlive them. */
  readonly killSignal?: NodeJS.Signals;
}

/** Milliseconds that a start may take. */
const startLimit = 120_000;

/** A process that ends with this one. */
export function managedProcess({
  name,
  spawn,
  ready,
  log,
  killSignal = 'SIGKILL',
}: ManagedProcessOptions): ManagedProcess {
  let child: ChildProcess | undefined;
  const signal = (what: NodeJS.Signals) => {
    for (const pid of child?.pid === undefined ? [] : withChildren(child.pid)) {
      try {
        process.kill(pid, what);
      } catch {
        // It has ended already.
      }
    }
  };
  process.on('exit', () => {
    signal('SIGCONT');
    child?.kill(killSignal);
  });
  return {
    name,
    child: () => child,
    async start() {
      const started = spawn();
      child = started;
      const limit = performance.now() + startLimit;
      while (!(await ready().catch(() => false))) {
        if (started.exitCode !== null || performance.now() > limit)
          throw new Error(
            `${name} did not start (exit code ${started.exitCode}):\n${lastWords(log)}`,
          );
        await sleep(25);
      }
    },
    async kill() {
      const dying = child;
      if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
      const gone = once(dying, 'exit');
      dying.kill(killSignal);
      await gone;
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  };
}

function lastWords(log: string): string {
  return existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : '';
}

/** The process and its direct children (Linux). */
function withChildren(pid: number): readonly number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(file)
    ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    : [];
  return [pid, ...children];
}
