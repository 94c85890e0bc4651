import { Counter, type LabelValues, type Registry } from 'prom-client';

/** Name, help, and the names of the labels. */
export interface QuickCounterOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/**
 * A counter for what every request counts: ones are added up here, and given to the library when
 * somebody reads it, for that hashes the labels each time.
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
