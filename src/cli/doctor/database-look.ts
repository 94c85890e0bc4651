import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';
import { databaseFile, databaseKind, fileUrl } from '../../config/database-url.ts';
import { migrationAdapterFor } from '../../store/connection/adapters.ts';
import { isInTheWay } from '../../store/connection/in-the-way.ts';
import { withSearchPath } from '../../store/connection/postgresql-schema.ts';

/** Milliseconds to wait for a write by the server, which is no fault. */
const patience = 2000;

/** Rows, each a list of values in the order of the columns. */
export type Rows = readonly (readonly unknown[])[];

/** A database that is only inspected. */
export interface DatabaseLook {
  query(sql: string): Promise<Rows>;
  /** Runs statements in a transaction that is rolled back; returns the rows of each. */
  rolledBack(statements: readonly string[]): Promise<readonly Rows[]>;
  close(): Promise<void>;
}

/** Opens the database without creating or changing anything; undefined: there is no file yet. */
export async function lookAtDatabase(url: string): Promise<DatabaseLook | undefined> {
  if (databaseKind(url) === 'postgresql')
    return look(await (await migrationAdapterFor(withSearchPath(url).url)).connect());
  const file = databaseFile(url);
  if (!existsSync(file)) return undefined;
  // Not with the server's adapter, which sets file modes and creates what is missing.
  const { PrismaLibSql } = await import('@prisma/adapter-libsql');
  return look(await new PrismaLibSql({ url: fileUrl(file) }).connect());
}

function look(connection: SqlDriverAdapter): DatabaseLook {
  return {
    query: async (sql) => patiently(async () => rowsOf(connection, sql)),
    rolledBack: async (statements) => patiently(async () => rolledBack(connection, statements)),
    close: async () => connection.dispose(),
  };
}

/** Retries while a write blocks. SQLite's busy timeout would block the whole process. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const limit = performance.now() + patience; ; await sleep(50)) {
    try {
      return await work();
    } catch (error) {
      if (!isInTheWay(error) || performance.now() > limit) throw error;
    }
  }
}

async function rolledBack(
  connection: SqlDriverAdapter,
  statements: readonly string[],
): Promise<readonly Rows[]> {
  const transaction = await connection.startTransaction();
  try {
    const answers: Rows[] = [];
    for (const sql of statements) answers.push(await rowsOf(transaction, sql));
    return answers;
  } finally {
    // Some adapters leave the statement itself to their caller.
    if (!transaction.options.usePhantomQuery)
      await transaction.executeRaw({ sql: 'ROLLBACK', args: [], argTypes: [] });
    await transaction.rollback();
  }
}

async function rowsOf(on: SqlQueryable, sql: string): Promise<Rows> {
  return (await on.queryRaw({ sql, args: [], argTypes: [] })).rows as Rows;
}
