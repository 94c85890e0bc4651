import { databaseFile, databaseKind } from '../../config/database-url.ts';
import type { Database } from './database.ts';
import { orStoreUnavailable, sqlitePragmas } from './database.ts';
import { withWriteLock } from './write-lock.ts';

type Values = readonly (string | number)[];

/**
 * A statement that must change exactly one row, unless it may change `any`; parameters are `$1`,
 * `$2`, … in their order, each used once. Values may depend on how many rows the step before it
 * changed.
 */
export interface Step {
  readonly sql: string;
  readonly values: Values | ((changedBefore: number) => Values);
  readonly rows?: 'any';
  /** True: its rows are added to those of the step before. */
  readonly adds?: boolean;
}

class Undone extends Error {}

/**
 * Runs every step in one transaction, or none: false when one did not change exactly one row.
 * Throws StoreUnavailable.
 */
export async function inTransaction(
  url: string,
  database: Database,
  steps: readonly Step[],
): Promise<boolean> {
  const work =
    databaseKind(url) === 'sqlite'
      ? async () => onSqlite(url, steps)
      : async () => onPostgresql(database, steps);
  return orStoreUnavailable(async () => {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof Undone) return false;
      throw error;
    }
  });
}

async function onPostgresql(database: Database, steps: readonly Step[]): Promise<void> {
  await database.$transaction(
    async (transaction) => {
      let changed = 0;
      for (const { sql, values, rows, adds = false } of steps) {
        const count = await transaction.$executeRawUnsafe(
          sql,
          ...(typeof values === 'function' ? values(changed) : values),
        );
        if (count !== 1 && rows !== 'any') throw new Undone();
        changed = adds ? changed + count : count;
      }
    },
    { timeout: 30_000 },
  );
}

/**
 * Within one call, on a connection of its own: a transaction that stays open meanwhile would hold
 * up all who write.
 */
async function onSqlite(url: string, steps: readonly Step[]): Promise<void> {
  const { default: SqliteDatabase } = await import('libsql');
  const end = await withWriteLock(databaseFile(url));
  try {
    const database = new SqliteDatabase(databaseFile(url));
    try {
      for (const pragma of sqlitePragmas) database.exec(`pragma ${pragma}`);
      database
        .transaction(() => {
          let changed = 0;
          for (const { sql, values, rows, adds = false } of steps) {
            const given = typeof values === 'function' ? values(changed) : values;
            const { changes: count } = database
              .prepare(sql.replaceAll(/\$\d+/g, '?'))
              .run(...given);
            if (count !== 1 && rows !== 'any') throw new Undone();
            changed = adds ? changed + count : count;
          }
        })
        .immediate();
    } finally {
      database.close();
    }
  } finally {
    end();
  }
}
