import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import type {
  DriverAdapterError,
  SqlMigrationAwareDriverAdapterFactory,
  Transaction,
} from '@prisma/driver-adapter-utils';
import { databaseFile, databaseKind, fileUrl } from '../../config/database-url.ts';
import { migrationAdapterFor } from '../connection/adapters.ts';
import { isInTheWay } from '../connection/in-the-way.ts';

/** An arbitrary number; all advisory locks of a database share one space. */
const advisoryLock = 7_800_2014;

/** One lock for each schema. */
const advisoryLockOf = `select case current_schema() when 'public' then pg_advisory_xact_lock(${advisoryLock}) else pg_advisory_xact_lock(${advisoryLock}, hashtext(current_schema())) end`;

/** Milliseconds between attempts, and after which another replica's migration counts as hung. */
const [retryEvery, giveUpAfter] = [50, 120_000];

/**
 * Lets one replica at a time check and migrate while the others wait. The database holds the lock,
 * so it is released if a process dies. The schema engine has its own lock only on PostgreSQL, and
 * not while a replica only checks.
 */
export async function withMigrationLock<T>(url: string, work: () => Promise<T>): Promise<T> {
  // SQLite has no advisory locks, and a lock on the database would keep the engine out, so an empty
  // file beside it is locked instead.
  const sqlite = databaseKind(url) === 'sqlite';
  const adapter: SqlMigrationAwareDriverAdapterFactory = sqlite
    ? new PrismaLibSql({ url: fileUrl(`${databaseFile(url)}.migrating`) })
    : await migrationAdapterFor(url);
  const connection = await adapter.connect();
  try {
    const lock = sqlite ? 'create table lock (held integer)' : advisoryLockOf;
    const transaction = await lockedTransaction(async () => connection.startTransaction(), lock);
    try {
      return await work();
    } finally {
      await rollBack(transaction);
    }
  } finally {
    await connection.dispose();
  }
}

async function lockedTransaction(
  start: () => Promise<Transaction>,
  lock: string,
): Promise<Transaction> {
  const deadline = performance.now() + giveUpAfter;
  for (;;) {
    const transaction = await start();
    try {
      await transaction.executeRaw({ sql: lock, args: [], argTypes: [] });
      return transaction;
    } catch (error) {
      // After some errors there is no transaction any more.
      await rollBack(transaction).catch(() => undefined);
      if (!isHeld(error) || performance.now() > deadline) throw error;
      await sleep(retryEvery);
    }
  }
}

/** Whether the error only means that another replica has the lock. */
function isHeld(error: unknown): boolean {
  // query_canceled: a role's statement_timeout ended the wait.
  const { originalCode } = (error as Partial<DriverAdapterError>).cause ?? {};
  return isInTheWay(error) || originalCode === '57014';
}

async function rollBack(transaction: Transaction): Promise<void> {
  // Some adapters leave this statement to their caller.
  if (!transaction.options.usePhantomQuery)
    await transaction.executeRaw({ sql: 'ROLLBACK', args: [], argTypes: [] });
  await transaction.rollback();
}
