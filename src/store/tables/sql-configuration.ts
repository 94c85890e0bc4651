import type { Clock } from '../../domain/clock.ts';
import type { ConfigurationChanges, Registrations } from '../../ports/configuration.ts';
import { type AuditedTransaction, auditedSteps } from '../connection/audited-transaction.ts';
import { orStoreUnavailable, withDatabaseLock } from '../connection/database.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import { inTransaction, type Step } from '../connection/transaction.ts';

/** The store in which changes are made. */
export interface ConfigurationStore extends SqlStore {
  readonly url: string;
  readonly clock: Clock;
  readonly registrations: (store: SqlStore) => Registrations;
  /** Awaited after a change, even one that may have failed. */
  readonly changed: () => Promise<void>;
}

/** Changes of many registrations in one transaction. */
export function sqlConfiguration(store: ConfigurationStore): ConfigurationChanges {
  const { url, database, kind, clock, registrations, changed, seconds } = store;
  return {
    registrations: registrations(store),
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
      await changes(registrations({ ...store, change: collect, seconds: async () => now }));
      const once = withoutRepetitions(joined(collected));
      const unchanged: Step = {
        sql: 'update cache_version set value = value where id = 1 and value = $1',
        values: [version],
      };
      // Triggers change the version: on SQLite immediately, where a transaction is alone from its
      // start; on PostgreSQL at the commit, so that this lock is the last one taken.
      const steps = kind === 'sqlite' ? [unchanged, ...once] : [...once, unchanged];
      try {
        return await inTransaction(url, database, steps, { patient: true });
      } finally {
        await changed();
      }
    },
  };
}

/** Maximum items of a statement; more would make it too large. */
const maxItems = 1000;

/**
 * Joins steps that differ only in their items, at the place of the first, so that revoking for
 * hundreds of clients takes no more statements than for one.
 */
function joined(steps: readonly Step[]): readonly Step[] {
  const keyOf = ({ sql, values }: Step) => JSON.stringify([sql, values]);
  const lists = Map.groupBy(
    steps.filter(({ items }) => items !== undefined),
    keyOf,
  );
  return steps.flatMap((step) => {
    if (step.items === undefined) return [step];
    const key = keyOf(step);
    const items = (lists.get(key) ?? []).flatMap((each) => each.items ?? []);
    lists.delete(key);
    return Array.from({ length: Math.ceil(items.length / maxItems) }, (_, index) => ({
      ...step,
      items: items.slice(index * maxItems, (index + 1) * maxItems),
    }));
  });
}

/**
 * Keeps only the last of identical steps: each deletion ends by revoking whatever came of any
 * revoked token, which is slow, and once is enough.
 */
function withoutRepetitions(steps: readonly Step[]): readonly Step[] {
  const seen = new Set<string>();
  const isLast = ({ sql, values, rows, items }: Step) => {
    if (rows !== 'any' || typeof values === 'function') return true;
    const key = JSON.stringify([sql, values, items]);
    return !seen.has(key) && seen.add(key) !== undefined;
  };
  return steps.toReversed().filter(isLast).toReversed();
}
