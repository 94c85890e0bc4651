import type { TestStoreKind } from '../test/support/stores.ts';
import { median } from './statistics.ts';
import { startGenerator, startSubject } from './subject.ts';
import { type Workload, workloads } from './workloads.ts';

/** How much is measured. */
export interface ProcessesExtent {
  readonly connections: number;
  readonly requests: number;
  readonly repetitions: number;
}

/** Compares CPU time per request of one and two processes, unpinned; returns Markdown rows. */
export async function measureTwoProcesses(
  kind: TestStoreKind,
  { connections, requests, repetitions }: ProcessesExtent,
): Promise<string> {
  const generator = startGenerator();
  const one = await startSubject(kind, generator, { pinned: false });
  const two = await startSubject(kind, generator, { workers: 2 });
  const measured = new Map<Workload, { readonly one: number; readonly two: number }[]>(
    workloads.map((workload) => [workload, []]),
  );
  try {
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      for (const [workload, pairs] of measured) {
        const load = {
          one: (await one.load(workload, requests, connections)).cpu,
          two: (await two.load(workload, requests, connections)).cpu,
        };
        // The first turn warms up.
        if (repetition > 0) pairs.push(load);
      }
    }
  } finally {
    await one.stop();
    await two.stop();
    generator.disconnect();
  }
  const rows = [...measured].map(([workload, pairs]) => {
    const cells = [
      kind.name,
      workload,
      median(pairs.map((pair) => pair.one)).toFixed(0),
      median(pairs.map((pair) => pair.two)).toFixed(0),
      median(pairs.map((pair) => pair.two / pair.one)).toFixed(2),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return rows.join('\n');
}

/** Head of the table of `measureTwoProcesses`. */
export const processesHead = [
  '| store | | CPU µs, one process | two processes | two ÷ one (goal 1.15 at most) |',
  '|---|---|---|---|---|',
].join('\n');
