import { databaseKind } from '../../config/database-url.ts';
import type { Clock } from '../../domain/clock.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { inTransaction } from '../connection/transaction.ts';

const upsert =
  'insert into write_check (id, value) values (1, $1) on conflict (id) do update set value = excluded.value';

/** Allocates and frees 16 pages in SQLite: an update alone would not notice a full file. */
const takePages =
  "insert into write_check (id, value) values (2, replace($1, ' ', hex(zeroblob(32768))))";
const givePagesBack = 'delete from write_check where id = $1';

/**
 * Proves that the database accepts writes: updates a row kept for that, and on SQLite checks for
 * free space. Throws StoreUnavailable.
 */
export function sqlWriteCheck(url: string, database: Database, clock: Clock): () => Promise<void> {
  if (databaseKind(url) === 'postgresql')
    return async () => {
      await orStoreUnavailable(() => database.$executeRawUnsafe(upsert, String(clock())));
    };
  return async () => {
    await inTransaction(url, database, [
      { sql: takePages, values: [' '] },
      { sql: givePagesBack, values: [2] },
      { sql: upsert, values: [String(clock())] },
    ]);
  };
}
