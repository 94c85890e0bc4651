import type { TestStoreKind } from '../test/support/stores.ts';
import type { Block, SwitchedMetrics } from './metrics-switch.ts';
import { trimmedMean } from './statistics.ts';
import { startGenerator, startSubject } from './subject.ts';

/** How much is measured. */
export interface MetricsExtent {
  readonly connections: number;
  readonly requests: number;
  readonly repetitions: number;
}

/**
 * Measures what metrics cost in one server that switches them on and off every few hundred
 * requests; two processes of one version differ by more. Returns a Markdown row.
 */
export async function measureMetricsCost(
  kind: TestStoreKind,
  { connections, requests, repetitions }: MetricsExtent,
): Promise<string> {
  const generator = startGenerator();
  const subject = await startSubject(kind, generator, { preload: ['switched-metrics.ts'] });
  const costs: number[] = [];
  try {
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      await subject.load('W2', requests, connections);
      const { times, blocks } = await subject.asked<SwitchedMetrics>();
      // The first turn warms up.
      if (repetition === 0) continue;
      costs.push(...ratiosOf(blocks).map((ratio) => (100 * (ratio - 1)) / times));
    }
  } finally {
    await subject.stop();
    generator.disconnect();
  }
  const { mean, within } = trimmedMean(costs);
  const cells = [kind.name, String(costs.length), mean.toFixed(2), `± ${within.toFixed(2)}`];
  return `| ${cells.join(' | ')} |`;
}

/** With ÷ without, of each four blocks in turn. */
function ratiosOf(blocks: readonly Block[]): readonly number[] {
  return Array.from({ length: Math.floor(blocks.length / 4) }, (_, index) => {
    const four = blocks.slice(index * 4, index * 4 + 4);
    const sum = (side: boolean) =>
      four.filter(({ on }) => on === side).reduce((total, { cpu }) => total + cpu, 0);
    return sum(true) / sum(false);
  });
}

/** Head of the table of `measureMetricsCost`. */
export const metricsHead = [
  '| store | turns | metrics, % of the CPU time of W2 without (goal 2 at most) | 95 % |',
  '|---|---|---|---|',
].join('\n');
