import type { TestStoreKind } from '../test/support/stores.ts';
import { startGenerator, startSubject } from './subject.ts';
import { type Workload, workloads } from './workloads.ts';

/** One workload on one store. */
export interface Measurement {
  readonly store: string;
  /** Processes of the server. */
  readonly workers: number;
  readonly workload: Workload;
  readonly perSecond: number;
  /** Microseconds of the server's CPU time a request, all its processes together. */
  readonly cpu: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** SQL statements a request; absent where they were not counted. */
  readonly statements?: number;
}

/** How much is measured. */
export interface Extent {
  readonly connections: number;
  /** Requests of one measurement. */
  readonly requests: number;
  readonly repetitions: number;
}

/** Measures every workload in turns on a new store. Throws if an answer is wrong. */
export async function measureStore(
  kind: TestStoreKind,
  workers: number,
  { connections, requests, repetitions }: Extent,
): Promise<readonly Measurement[]> {
  const generator = startGenerator();
  const measured: Measurement[] = [];
  try {
    const subject = await startSubject(kind, generator, { workers });
    try {
      for (let repetition = 0; repetition < repetitions; repetition++) {
        for (const workload of workloads) {
          await subject.load(workload, Math.ceil(requests / 4), connections);
          const { perSecond, cpu, p50, p99, statements } = await subject.load(
            workload,
            requests,
            connections,
          );
          measured.push({
            store: kind.name,
            workers,
            workload,
            perSecond,
            cpu,
            p50,
            p99,
            ...(statements !== undefined && { statements }),
          });
        }
      }
    } finally {
      await subject.stop();
    }
  } finally {
    generator.disconnect();
  }
  return measured;
}
