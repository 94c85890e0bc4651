import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { gatherings } from './gathering.ts';
import type { FromWorker } from './ipc-messages.ts';

export interface SupervisionOptions {
  /** Number of serving processes. */
  readonly workers: number;
  /** Milliseconds for a worker to exit after it was asked to stop. */
  readonly stopTimeout: number;
  readonly logger: Logger;
  /** Environment variables for the workers, in addition to those of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly print: (text: string) => void;
}

/**
 * Minimum and maximum milliseconds before a dead worker is replaced, doubled by every further
 * death, and how long one must live to reset this.
 */
const [firstPause, longestPause, longEnough] = [100, 10_000, 60_000];

/** The running workers, and when each started by `performance.now()`. */
type Alive = Map<Worker, { readonly number: number; readonly since: number }>;

/**
 * Keeps this many workers serving on shared ports. The first one starts alone, so that migrations,
 * first keys and the admin token happen once. Resolves with the exit code when all have ended:
 * after a signal, or because one could not start initially (it reports why itself).
 */
export async function supervise(options: SupervisionOptions): Promise<number> {
  const { workers: count, stopTimeout, logger, print } = options;
  const alive: Alive = new Map();
  const questions = gatherings(() => alive.keys());
  const pauseBefore = pauses();
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  let code = 0;
  let serving = false;
  let stopping = false;

  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    for (const worker of alive.keys()) worker.process.kill('SIGTERM');
    setTimeout(() => {
      if (alive.size > 0) code = 1;
      killAll(alive, logger);
    }, stopTimeout).unref();
    if (alive.size === 0) end(code);
  };

  /** Starts worker `number`; resolves with its text once it serves, never if it dies before. */
  const start = async (number: number): Promise<string> => {
    const { promise: running, resolve } = Promise.withResolvers<string>();
    if (stopping) return running;
    const worker = fork(number, options, number === 1 && !serving);
    alive.set(worker, { number, since: performance.now() });
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'running') resolve(message.text);
      else questions.heard(worker, message);
    });
    return running;
  };

  cluster.on('exit', (worker, exitCode, signal) => {
    const { number = 0, since = 0 } = alive.get(worker) ?? {};
    alive.delete(worker);
    questions.gone(worker);
    // A worker that was still starting dies of the signal itself. The exit code of a worker that
    // could not start becomes that of the whole start.
    if (stopping ? exitCode !== 0 && signal !== 'SIGTERM' && serving : !serving)
      code = serving ? 1 : exitCode || 1;
    if (stopping && alive.size === 0) end(code);
    if (stopping) return;
    if (!serving) return stop('a worker could not start');
    logger.error({ worker: number, code: exitCode, signal }, 'a worker died; it is replaced');
    setTimeout(
      () => {
        void start(number).then(() => logger.info({ worker: number }, 'the worker serves again'));
      },
      pauseBefore(number, performance.now() - since),
    );
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));

  void startAll(start, count).then((text) => {
    serving = true;
    print(text);
  });
  return ended;
}

async function startAll(
  start: (number: number) => Promise<string>,
  count: number,
): Promise<string> {
  const text = await start(1);
  await Promise.all(Array.from({ length: count - 1 }, async (_, index) => start(index + 2)));
  return text;
}

/** Starts a worker. Only the first one applies CONFIG_FILE. */
function fork(number: number, { env, logger }: SupervisionOptions, isFirst: boolean): Worker {
  cluster.setupPrimary({ args: [String(number)] });
  const worker = cluster.fork(isFirst ? env : { ...env, CONFIG_FILE: '' });
  // A message may reach a worker that is dying.
  worker.on('error', (err) =>
    logger.debug({ err, worker: number }, 'a message could not be delivered to the worker'),
  );
  return worker;
}

function killAll(alive: Alive, logger: Logger): void {
  for (const [worker, { number }] of alive) {
    logger.error({ worker: number }, 'the worker did not stop in time');
    worker.process.kill('SIGKILL');
  }
}

/** Counts deaths; returns the delay of the next start, given how long the worker lived. */
function pauses(): (number: number, lived: number) => number {
  const deaths = new Map<number, number>();
  return (number, lived) => {
    const before = lived > longEnough ? 0 : (deaths.get(number) ?? 0);
    deaths.set(number, before + 1);
    return Math.min(firstPause * 2 ** before, longestPause);
  };
}
