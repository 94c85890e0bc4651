import { Gauge, type Registry } from 'prom-client';

/** One value of a series, under its labels. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A series whose values are read at a scrape. */
export interface CollectedSeries {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Seconds for which a reading is valid. */
  readonly good: number;
  readonly read: () => Promise<readonly Sample[]>;
}

/** Milliseconds for one reading, after which its source counts as unavailable. */
const patience = 1800;

/**
 * Registers series that are read at a scrape, one reading at a time and only if the last one has
 * expired. A series that cannot be read is omitted and reported.
 * @param now milliseconds of a monotonic clock
 */
export function collect(
  registry: Registry,
  series: readonly CollectedSeries[],
  now: () => number = () => performance.now(),
): void {
  const unread = new Gauge({
    name: 'holdfast_unread_series',
    help: '1: this series cannot be read now.',
    labelNames: ['series'],
    registers: [registry],
  });
  for (const { name, help, labelNames = [], good, read } of series) {
    const reading = remembered(read, good * 1000, now);
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      async collect() {
        const samples = await reading().catch(() => undefined);
        unread.set({ series: name }, samples === undefined ? 1 : 0);
        this.reset();
        // Without labels, reset leaves a zero that was never read.
        if (samples === undefined) this.remove();
        else for (const { labels = {}, value } of samples) this.set(labels, value);
      },
    });
  }
}

function remembered<T>(read: () => Promise<T>, good: number, now: () => number): () => Promise<T> {
  let last: { readonly at: number; readonly value: T } | undefined;
  let underWay: Promise<T> | undefined;
  const readNow = async () => {
    const at = now();
    try {
      const value = await read();
      last = { at, value };
      return value;
    } finally {
      underWay = undefined;
    }
  };
  return async () => {
    if (last !== undefined && now() - last.at < good) return last.value;
    underWay ??= readNow();
    return inTime(underWay);
  };
}

async function inTime<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the reading timed out')), patience);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}
