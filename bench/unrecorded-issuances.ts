import type { AuditEvent } from '../src/domain/audit-event.ts';
import type { Issuances } from '../src/ports/ports.ts';
import type { ReplayStore } from '../src/ports/replay-store.ts';
import { type CommitBatch, batchedIssuances as recorded } from '../src/store/tables/issuances.ts';

const nothing: AuditEvent = { type: 'token_issued', actor: 'server' };

/** As the server's own, without the rows of the audit trail; even their making is left out. */
export function batchedIssuances(
  commitBatch: CommitBatch,
  clock: Parameters<typeof recorded>[1],
): Issuances {
  const { commit } = recorded((uses) => commitBatch(uses, []), clock);
  return { commit: (uses) => commit(uses, nothing) };
}

/** The uses alone. */
export function issuancesInTwoSteps(replay: ReplayStore): Issuances {
  return { commit: async (uses) => (uses.length === 0 ? [] : replay.markUsed(uses)) };
}
