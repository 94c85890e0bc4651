import type { Clock } from '../../domain/clock.ts';
import type { ConfigurationChanges, Registrations } from '../../ports/configuration.ts';
import { type AuditedTransaction, auditedSteps } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable, withDatabaseLock } from '../connection/database.ts';
import type { DatabaseSeconds } from '../connection/database-time.ts';
import { inTransaction, type Step } from '../connection/transaction.ts';
import type { DatabaseKind } from '../migrations/schema.ts';

/** Where the changes are made. */
export interface ConfigurationStore {
  readonly url: string;
  readonly database: Database;
  readonly kind: DatabaseKind;
  readonly clock: Clock;
  /** The registries, over what makes their changes, and the time of these. */
  readonly registrations: (change: AuditedTransaction, seconds: DatabaseSeconds) => Registrations;
  readonly seconds: DatabaseSeconds;
  /** The registries that make each change by itself. */
  readonly change: AuditedTransaction;
  /** Awaited after a change, also after one that may have failed. */
  readonly changed: () => Promise<void>;
}

/** Changes of many registrations in one transaction. */
export function sqlConfiguration(store: ConfigurationStore): ConfigurationChanges {
  const { url, database, kind, clock, registrations, change, changed, seconds } = store;
  return {
    registrations: registrations(change, seconds),
    alone: async (work) => withDatabaseLock(url, work),
    async version() {
      const row = await orStoreUnavailable(() =>
        database.cacheVersion.findUniqueOrThrow({ where: { id: 1 } }),
      );
      return row.value;
    },
    async commit(version, changes) {
      const collected: Step[] = [];
      const now = await seconds();
      const collect: AuditedTransaction = async (steps, event) => {
        collected.push(...auditedSteps(kind, clock, steps, event));
        return true;
      };
      await changes(registrations(collect, async () => now));
      const once = withoutRepetitions(collected);
      const unchanged: Step = {
        sql: 'update cache_version set value = value where id = 1 and value = $1',
        values: [version],
      };
      // Triggers change the version: on SQLite at once, where one transaction is alone from its
      // start; on PostgreSQL at the commit, so that its lock is the last that anybody takes.
      const steps = kind === 'sqlite' ? [unchanged, ...once] : [...once, unchanged];
      try {
        return await inTransaction(url, database, steps);
      } finally {
        await changed();
      }
    },
  };
}

/**
 * Of steps that are the same, only the last one: each deletion ends by revoking whatever came of
 * any revoked token, which takes long, and once is enough.
 */
function withoutRepetitions(steps: readonly Step[]): readonly Step[] {
  const seen = new Set<string>();
  const isLast = ({ sql, values, rows }: Step) => {
    if (rows !== 'any' || typeof values === 'function') return true;
    const key = JSON.stringify([sql, values]);
    return !seen.has(key) && seen.add(key) !== undefined;
  };
  return steps.toReversed().filter(isLast).toReversed();
}
