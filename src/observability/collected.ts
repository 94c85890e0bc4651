import { Gauge, type Registry } from 'prom-client';

/** One value of a series, under its labels. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A series whose values are asked for at a scrape. */
export interface CollectedSeries {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Seconds for which a reading is good. */
  readonly good: number;
  readonly read: () => Promise<readonly Sample[]>;
}

/** Milliseconds for one reading; whatever it waits for is away. */
const patience = 1800;

/**
 * Registers series that are read at a scrape, once at a time and only when the last reading is no
 * longer good. One that cannot be read is left out, and said to be.
 * @param now milliseconds of a clock that only goes forward
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
        // Without labels a reset leaves a zero, which nobody has read.
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
    timer = setTimeout(() => reject(new Error('the reading is late')), patience);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}
