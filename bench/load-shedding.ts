import type { TestStoreKind } from '../test/support/stores.ts';
import type { ArrivalResult } from './arrivals.ts';
import { told } from './processes.ts';
import { checkSample, startGenerator, startSubject } from './subject.ts';

const median = (values: readonly number[]) =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);

/** How much is measured. */
export interface LoadSheddingExtent {
  readonly connections: number;
  readonly repetitions: number;
  /** Seconds of each load. */
  readonly seconds: number;
}

/** Measures W2 by open arrival at twice the capacity of a closed loop; returns a Markdown row. */
export async function measureLoadShedding(
  kind: TestStoreKind,
  { connections, repetitions, seconds }: LoadSheddingExtent,
): Promise<string> {
  const generator = startGenerator();
  const subject = await startSubject(kind, generator);
  const tell = (text: string) => process.stderr.write(`${kind.name}: ${text}\n`);
  let highest = 0;
  const watch = setInterval(() => (highest = Math.max(highest, subject.memory())), 100);
  try {
    let peak = (await subject.load('W2', 5000, connections)).perSecond;
    // Five seconds, so that prepared proofs do not get too old.
    const closed = async () => {
      peak = (await subject.load('W2', Math.ceil(5 * peak), connections)).perSecond;
    };
    await closed();
    const runs: (ArrivalResult & { readonly goodput: number; readonly peak: number })[] = [];
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const before = peak;
      const count = Math.ceil(2 * before * seconds);
      await told(generator, { make: { workload: 'W2', count, fixture: subject.fixture } });
      const result = await told<ArrivalResult>(generator, { arrive: { perSecond: 2 * before } });
      checkSample('W2', result.sample);
      await closed();
      // Before and after, because the speed of the machine varies.
      runs.push({
        ...result,
        peak: (before + peak) / 2,
        goodput: (result.accepted * 1000) / result.duration,
      });
      tell(
        `peak ${before.toFixed(0)} and ${peak.toFixed(0)}/s; ${JSON.stringify({ ...result, sample: undefined })}`,
      );
    }
    const of = (each: (run: (typeof runs)[number]) => number, places = 0) =>
      median(runs.map(each)).toFixed(places);
    const cells = [
      kind.name,
      of(({ peak: one }) => one),
      of(({ requests, duration }) => (requests * 1000) / duration),
      of(({ goodput, peak: one }) => goodput / one, 2),
      `${of(({ acceptedP50 }) => acceptedP50)}, ${of(({ acceptedP99 }) => acceptedP99)}`,
      `${of(({ refusedP50 }) => refusedP50)}, ${of(({ refusedP99 }) => refusedP99)}`,
      `${runs.reduce((sum, { other }) => sum + other, 0)}`,
      `${mebibytes(highest)} MiB`,
      `${of(({ generatorCpu }) => generatorCpu * 100)} %, ${of(({ lateP99 }) => lateP99, 1)} ms`,
    ];
    return `| ${cells.join(' | ')} |`;
  } finally {
    clearInterval(watch);
    await subject.stop();
    generator.disconnect();
  }
}

/** Head of the table of `measureLoadShedding`. */
export const loadSheddingHead = [
  '| store | peak/s | arrivals/s | goodput ÷ peak (goal 0.85) | accepted p50, p99 ms (goal p99 250) | 503 p50, p99 ms | neither | most memory | generator: core, late p99 |',
  '|---|---|---|---|---|---|---|---|---|',
].join('\n');
