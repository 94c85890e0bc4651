import type { TestStoreKind } from '../test/support/stores.ts';
import { median } from './statistics.ts';
import { startGenerator, startSubject } from './subject.ts';

/** How much is measured. */
export interface AuditExtent {
  readonly connections: number;
  readonly requests: number;
  readonly repetitions: number;
}

/** The workloads that end in a record. */
const issuing = ['W2', 'W3'] as const;

/** Measures servers with and without the audit record of an issuance; returns Markdown rows. */
export async function measureAuditCost(
  kind: TestStoreKind,
  { connections, requests, repetitions }: AuditExtent,
): Promise<string> {
  const generator = startGenerator();
  const recording = await startSubject(kind, generator);
  const leavingOut = await startSubject(kind, generator, { preload: ['without-audit.ts'] });
  const rows: string[] = [];
  try {
    for (const workload of issuing) {
      const turns: {
        readonly cpu: number;
        readonly without: number;
        readonly rate: number;
        readonly p50: number;
      }[] = [];
      for (let repetition = 0; repetition <= repetitions; repetition++) {
        const [one, other] = [
          await recording.load(workload, requests, connections),
          await leavingOut.load(workload, requests, connections),
        ];
        // The first turn warms up.
        if (repetition > 0)
          turns.push({
            cpu: one.cpu,
            without: other.cpu,
            rate: one.perSecond / other.perSecond,
            p50: one.p50 / other.p50,
          });
      }
      const of = (each: (turn: (typeof turns)[number]) => number, places: number) =>
        median(turns.map(each)).toFixed(places);
      const cells = [
        kind.name,
        workload,
        of(({ cpu }) => cpu, 0),
        of(({ without }) => without, 0),
        of(({ cpu, without }) => cpu / without, 2),
        of(({ rate }) => rate, 2),
        of(({ p50 }) => p50, 2),
      ];
      rows.push(`| ${cells.join(' | ')} |`);
    }
    if (!(await recording.recorded()) || (await leavingOut.recorded()))
      throw new Error('the two servers do not differ by their records');
  } finally {
    await recording.stop();
    await leavingOut.stop();
    generator.disconnect();
  }
  return rows.join('\n');
}

/** Head of the table of `measureAuditCost`. */
export const auditHead = [
  '| store | | CPU µs a token, with the record | without | with ÷ without | tokens/s, with ÷ without | p50, with ÷ without |',
  '|---|---|---|---|---|---|---|',
].join('\n');
