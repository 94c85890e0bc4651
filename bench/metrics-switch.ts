import { createRequire } from 'node:module';
import { metrics as realMetrics } from '../src/observability/metrics.ts';
import { type ObserveStep, timedStep as realStep } from '../src/observability/observed-steps.ts';
import { type Measurements, timed as realTimed } from '../src/ports/measurements.ts';

/** What was measured since the last question. */
export interface SwitchedMetrics {
  /** How often everything was done in a block that is on. */
  readonly times: number;
  readonly blocks: readonly Block[];
}

/** One block of requests: with metrics or without, and what it took. */
export interface Block {
  readonly on: boolean;
  /** Microseconds of the main thread, on which all of that runs. */
  readonly cpu: number;
}

/**
 * While they are on, everything that metrics do is done this many times: the speed of a machine
 * varies by more than they cost once.
 */
const times = 10;

/** Requests of a block: some tenths of a second. */
const blockSize = 250;

let on = true;
let requests = 0;
let cpu = process.threadCpuUsage();
let blocks: Block[] = [];
const watchers: { start(): void; stop(): void }[] = [];

/** On, off, off, on: what changes slowly costs both the same. */
function nextBlock(): void {
  const { user, system } = process.threadCpuUsage(cpu);
  blocks.push({ on, cpu: user + system });
  on = blocks.length % 4 === 0 || blocks.length % 4 === 3;
  for (const watcher of watchers)
    if (on) watcher.start();
    else watcher.stop();
  cpu = process.threadCpuUsage();
}

process.on('message', () => {
  process.send?.({ times, blocks } satisfies SwitchedMetrics);
  [blocks, requests, on] = [[], 0, true];
  for (const watcher of watchers) watcher.start();
  cpu = process.threadCpuUsage();
});

const many = Array.from({ length: times });
const repeated = <Given extends unknown[]>(report: (...given: Given) => void) => {
  return (...given: Given) => {
    if (on) for (const _ of many) report(...given);
  };
};

// What prom-client watches by itself: collections and the event loop.
const hooks = createRequire(import.meta.url)('node:perf_hooks') as typeof import('node:perf_hooks');
const { PerformanceObserver: Observer, monitorEventLoopDelay } = hooks;
type Watched = Parameters<(typeof Observer)['prototype']['observe']>[0];
hooks.PerformanceObserver = new Proxy(Observer, {
  construct(_, [seen]: ConstructorParameters<typeof Observer>) {
    const observers = many.map(() => new Observer(seen));
    const stop = () => {
      for (const each of observers) each.disconnect();
    };
    const observe = (watched: Watched) => {
      const start = () => {
        for (const each of observers) each.observe(watched);
      };
      watchers.push({ start, stop });
      start();
    };
    return { observe };
  },
});
hooks.monitorEventLoopDelay = (options) => {
  const histograms = many.map(() => monitorEventLoopDelay(options));
  watchers.push({
    start() {
      for (const each of histograms) each.enable();
    },
    stop() {
      for (const each of histograms) each.disable();
    },
  });
  return histograms[0] as ReturnType<typeof monitorEventLoopDelay>;
};

/** The metrics of the server, which hear nothing while they are switched off. */
export const metrics: typeof realMetrics = (options) => {
  const real = realMetrics(options);
  const request = repeated(real.request);
  return {
    ...real,
    proofOffset: repeated(real.proofOffset),
    request(ended) {
      request(ended);
      if (++requests % blockSize === 0) nextBlock();
    },
  };
};

/** A step that is measured while metrics are on. */
export const timedStep: typeof realStep = (took, tracing): ObserveStep => {
  const observed = realStep(took, tracing);
  return <Given extends unknown[], Result>(
    name: string,
    step: (...given: Given) => Promise<Result>,
  ) => {
    let measured = observed(name, step);
    for (let layer = 1; layer < times; layer++) measured = observed(name, measured);
    return (...given: Given) => (on ? measured : step)(...given);
  };
};

/** A question to a store that is measured while metrics are on. */
export function timed(
  measured: Pick<Measurements, 'store'> | undefined,
  store: 'database' | 'redis',
): ReturnType<typeof realTimed> {
  const [time, pass] = [realTimed(measured, store), realTimed(undefined, store)];
  return async (work) => {
    let again = work;
    if (on) for (let layer = 1; layer < times; layer++) again = layered(time, again);
    return (on ? time : pass)(again);
  };
}

const layered =
  <T>(time: (work: () => Promise<T>) => Promise<T>, work: () => Promise<T>) =>
  async () =>
    time(work);
