import type { Clock } from '../../domain/clock.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { type Database, orStoreUnavailable } from './database.ts';

/** SQL for the database's clock in milliseconds, at the time of the statement. */
export const databaseTime: Readonly<Record<DatabaseKind, string>> = {
  postgresql: 'cast(extract(epoch from clock_timestamp()) * 1000 as bigint)',
  sqlite: "cast(unixepoch('subsec') * 1000 as integer)",
};

/**
 * Seconds by which a replica's clock may be behind the database's. A row is deleted only when it
 * expired that long ago, and a revocation covers tokens that expired within that time.
 */
export const clockMargin = 300;

/**
 * Returns the database's time in whole seconds since the epoch. All decisions that replicas must
 * agree on, especially deletions, use this clock, because a replica's own may be wrong.
 */
export type DatabaseSeconds = () => Promise<number>;

/**
 * Asks the database for its time.
 * @param timeOf replaces the database's clock in a test
 */
export function databaseSeconds(
  database: Database,
  kind: DatabaseKind,
  timeOf?: Clock,
): DatabaseSeconds {
  const question = `select ${databaseTime[kind]} as milliseconds`;
  return async () => {
    const [row] = await orStoreUnavailable(() =>
      database.$queryRawUnsafe<{ readonly milliseconds: bigint }[]>(question),
    );
    return Math.floor((timeOf?.() ?? Number(row?.milliseconds)) / 1000);
  };
}
