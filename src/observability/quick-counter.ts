import { Counter, type LabelValues, type Registry } from 'prom-client';

/** Name, help, and label names. */
export interface QuickCounterOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/**
 * A counter for per-request events: increments are summed here and passed to the library only when
 * read, because it hashes the labels each time.
 */
export function quickCounter(
  registry: Registry,
  { name, help, labels }: QuickCounterOptions,
): (...values: string[]) => void {
  const added = new Map<string, { readonly labels: LabelValues<string>; count: number }>();
  new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      for (const series of added.values()) {
        this.inc(series.labels, series.count);
        series.count = 0;
      }
    },
  });
  return (...values) => {
    const key = values.join('\n');
    const series = added.get(key);
    if (series !== undefined) series.count++;
    else
      added.set(key, {
        labels: Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ''])),
        count: 1,
      });
  };
}
