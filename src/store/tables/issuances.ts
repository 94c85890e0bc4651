import type { AuditEvent } from '../../domain/audit-event.ts';
import type { Clock } from '../../domain/clock.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import type { AuditTrail } from '../../ports/audit-trail.ts';
import type { Issuances } from '../../ports/ports.ts';
import type { ReplayStore } from '../../ports/replay-store.ts';
import { batched } from '../connection/batched.ts';
import { orStoreUnavailable } from '../connection/database.ts';
import { eventRow } from './sql-audit.ts';

/** One issuance of a batch; its row of the audit trail is inserted only if all uses were new. */
export interface BatchedIssuance {
  readonly uses: readonly string[];
  readonly row: object;
}

/**
 * Inserts in one transaction the new uses and the rows of issuances whose uses were all new;
 * returns the keys of the new uses.
 */
export type CommitBatch = (
  uses: readonly SingleUse[],
  issuances: readonly BatchedIssuance[],
) => Promise<readonly string[]>;

/** Issuances in one database, with one transaction per turn of the event loop. */
export function batchedIssuances(commitBatch: CommitBatch, clock: Clock): Issuances {
  const commit = batched<readonly [readonly SingleUse[], AuditEvent], readonly boolean[]>(
    (requests) =>
      orStoreUnavailable(async () => {
        const at = clock();
        // Within the batch, only the first use counts.
        const uses = new Map<string, SingleUse>();
        const issuances: BatchedIssuance[] = [];
        for (const [wanted, event] of requests) {
          if (wanted.every(({ key }) => !uses.has(key)))
            issuances.push({ uses: wanted.map(({ key }) => key), row: eventRow(event, at) });
          for (const use of wanted) if (!uses.has(use.key)) uses.set(use.key, use);
        }
        // The same order everywhere, so that two batches with the same identifiers cannot deadlock.
        const sorted = [...uses.values()].sort((x, y) => (x.key < y.key ? -1 : 1));
        const inserted = new Set(await commitBatch(sorted, issuances));
        return requests.map(([wanted]) => wanted.map(({ key }) => inserted.delete(key)));
      }),
  );
  return { commit: (uses, event) => commit([uses, event]) };
}

/**
 * Issuances with the uses in another store: first the uses, then the record. If the record fails,
 * the request fails and the uses stay used.
 */
export function issuancesInTwoSteps(replay: ReplayStore, audit: AuditTrail): Issuances {
  return {
    async commit(uses, event) {
      const first = uses.length === 0 ? [] : await replay.markUsed(uses);
      if (first.every(Boolean)) await audit.record(event);
      return first;
    },
  };
}
