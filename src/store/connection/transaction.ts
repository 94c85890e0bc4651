import type Sqlite from 'libsql';
import { databaseFile, databaseKind } from '../../config/database-url.ts';
import { takingTurns } from '../../domain/turns.ts';
import type { Database } from './database.ts';
import { orStoreUnavailable } from './database.ts';
import { type Execute, patientTransaction } from './patient-transaction.ts';
import { sqlitePragmas } from './sqlite-adapter.ts';
import { acquireWriteLock } from './write-lock.ts';

type Values = readonly (string | number)[];

/**
 * A statement that must change exactly one row, unless it may change `any`; parameters are `$1`,
 * `$2`, … in order, each used once. Values may depend on how many rows the previous step changed.
 */
export interface Step {
  readonly sql: string;
  readonly values: Values | ((changedBefore: number) => Values);
  readonly rows?: 'any';
  /** Further values, as a list that replaces `$*`, after all other parameters. */
  readonly items?: readonly string[];
  /** True: its rows are added to those of the previous step. */
  readonly adds?: boolean;
}

class Undone extends Error {}

/** Maximum milliseconds for a PostgreSQL transaction. */
const bound = 30_000;

/**
 * Runs all steps in one transaction, or none: false if one did not change exactly one row.
 * `patient`: a single statement may take seconds. Throws StoreUnavailable.
 */
export async function inTransaction(
  url: string,
  database: Database,
  steps: readonly Step[],
  { patient = false }: { readonly patient?: boolean } = {},
): Promise<boolean> {
  const onPostgresql = patient ? onOwnConnection : inPool;
  const work =
    databaseKind(url) === 'sqlite'
      ? async () => onSqlite(url, steps)
      : async () => onPostgresql(url, database, steps);
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

/** The statement of a step, with its items inserted. */
export function statementOf(
  { sql, values, items = [] }: Step,
  changedBefore = 0,
): { readonly sql: string; readonly values: Values } {
  const given = typeof values === 'function' ? values(changedBefore) : values;
  const list = items.map((_, index) => `$${given.length + index + 1}`);
  return { sql: sql.replace('$*', () => list.join()), values: [...given, ...items] };
}

async function inPool(_: string, database: Database, steps: readonly Step[]): Promise<void> {
  await database.$transaction(
    async (transaction) =>
      execute(steps, async (sql, values) => transaction.$executeRawUnsafe(sql, ...values)),
    { timeout: bound },
  );
}

async function onOwnConnection(url: string, _: Database, steps: readonly Step[]): Promise<void> {
  await patientTransaction(url, bound, async (run) => execute(steps, run));
}

async function execute(steps: readonly Step[], run: Execute): Promise<void> {
  let changed = 0;
  for (const step of steps) {
    const { rows, adds = false } = step;
    const { sql, values } = statementOf(step, changed);
    const count = await run(sql, values);
    if (count !== 1 && rows !== 'any') throw new Undone();
    changed = adds ? changed + count : count;
  }
}

/**
 * Runs on a separate connection under the write lock: other writes of this process wait for it,
 * everything else continues.
 */
async function onSqlite(url: string, steps: readonly Step[]): Promise<void> {
  const { default: SqliteDatabase } = await import('libsql');
  const end = await acquireWriteLock(databaseFile(url));
  try {
    const database = new SqliteDatabase(databaseFile(url));
    try {
      for (const pragma of sqlitePragmas) database.exec(`pragma ${pragma}`);
      database.exec('begin immediate');
      await runSteps(database, steps);
      database.exec('commit');
    } catch (error) {
      // A statement that still exists keeps a closed connection and its transaction open.
      if (database.inTransaction) database.exec('rollback');
      throw error;
    } finally {
      database.close();
    }
  } finally {
    end();
  }
}

async function runSteps(database: Sqlite.Database, steps: readonly Step[]): Promise<void> {
  const prepared = new Map<string, Sqlite.Statement>();
  const turn = takingTurns();
  let changed = 0;
  for (const step of steps) {
    await turn();
    const { rows, adds = false } = step;
    const { sql, values } = statementOf(step, changed);
    const statement = prepared.get(sql) ?? database.prepare(sql.replaceAll(/\$\d+/g, '?'));
    prepared.set(sql, statement);
    const { changes: count } = statement.run(...values);
    if (count !== 1 && rows !== 'any') throw new Undone();
    changed = adds ? changed + count : count;
  }
}
