import type { Clock } from '../../domain/clock.ts';
import type { ConfigurationChanges, Registrations } from '../../ports/configuration.ts';
import { type AuditedTransaction, auditedSteps } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable, withDatabaseLock } from '../connection/database.ts';
import { inTransaction, type Step } from '../connection/transaction.ts';
import type { DatabaseKind } from '../migrations/schema.ts';

/** Where the changes are made. */
export interface ConfigurationStore {
  readonly url: string;
  readonly database: Database;
  readonly kind: DatabaseKind;
  readonly clock: Clock;
  /** The registries, over what makes their changes. */
  readonly registrations: (change: AuditedTransaction) => Registrations;
  /** The registries that make each change by itself. */
  readonly change: AuditedTransaction;
  /** Awaited after a change, also after one that may have failed. */
  readonly changed: () => Promise<void>;
}

/** Changes of many registrations in one transaction. */
export function sqlConfiguration(store: ConfigurationStore): ConfigurationChanges {
  const { url, database, kind, clock, registrations, change, changed } = store;
  return {
    registrations: registrations(change),
    alone: async (work) => withDatabaseLock(url, work),
    async version() {
      const row = await orStoreUnavailable(() =>
        database.cacheVersion.findUniqueOrThrow({ where: { id: 1 } }),
      );
      return row.value;
    },
    async commit(version, changes) {
      const collected: Step[] = [];
      await changes(
        registrations(async (steps, event) => {
          collected.push(...auditedSteps(kind, clock, steps, event));
          return true;
        }),
      );
      const unchanged: Step = {
        sql: 'update cache_version set value = value where id = 1 and value = $1',
        values: [version],
      };
      // Triggers change the version: on SQLite at once, where one transaction is alone from its
      // start; on PostgreSQL at the commit, so that its lock is the last that anybody takes.
      const steps = kind === 'sqlite' ? [unchanged, ...collected] : [...collected, unchanged];
      try {
        return await inTransaction(url, database, steps);
      } finally {
        await changed();
      }
    },
  };
}
