import { accessSync, constants, existsSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { inspect } from 'node:util';
import type { PrismaClient } from '../../../prisma/generated/sqlite/client.ts';
import { databaseFile, databaseKind } from '../../config/database-url.ts';
import { StoreUnavailable } from '../../domain/oauth-error.ts';
import { isUpToDate, MigrationError, migrate } from '../migrations/migrate.ts';
import { withMigrationLock } from '../migrations/migration-lock.ts';
import { beginMigration } from '../migrations/migration-transaction.ts';
import { adapterFor, migrationAdapterFor, type PostgresqlUse } from './adapters.ts';
import { DatabaseError, postgresqlPlace } from './postgresql-schema.ts';

/** Prisma's client; both databases have the same models. */
export type Database = PrismaClient;

/** Opens a database, brings its structure up to date, and returns Prisma's client for it. */
export async function openDatabase(
  url: string,
  onError: (error: Error) => void,
  use: PostgresqlUse = { poolSize: 10, preparedStatements: true },
): Promise<Database> {
  if (databaseKind(url) === 'sqlite') return openSqlite(url, onError, use);
  const place = await postgresqlPlace(url);
  const adapter = await migrationAdapterFor(place.url, place.schema);
  if (!(await isUpToDate('postgresql', adapter)))
    await withMigrationLock(place.url, async () =>
      migrate('postgresql', adapter, async () => beginMigration(place.url, place.schema)),
    );
  const { PrismaClient: PostgresqlClient } = await import(
    '../../../prisma/generated/postgresql/client.ts'
  );
  return new PostgresqlClient({
    adapter: await adapterFor(place.url, onError, { ...use, schema: place.schema }),
  }) as unknown as Database;
}

/**
 * Moves what it can of SQLite's write-ahead log into the file, so that the file alone is complete
 * once the server has stopped; the driver would leave the log as it is.
 */
export async function emptyWriteAheadLog(database: Database): Promise<void> {
  // Without a wait, whatever another process still reads stays in the log.
  await database.$queryRawUnsafe('pragma busy_timeout = 0');
  await database.$queryRawUnsafe('pragma wal_checkpoint(truncate)');
}

async function openSqlite(
  url: string,
  onError: (error: Error) => void,
  use: PostgresqlUse,
): Promise<Database> {
  const file = resolve(databaseFile(url));
  requireWritable(file);
  const lock = `${file}.migrating`;
  const hadLock = existsSync(lock);
  try {
    const adapter = await migrationAdapterFor(url);
    // SQLite cannot wait for a database that another process is creating, so even the first look is
    // under the lock.
    return await withMigrationLock(url, async () => {
      await migrate('sqlite', adapter, async () => beginMigration(url));
      return sqliteClient(url, onError, use);
    });
  } catch (cause) {
    // Another program's file must not get one beside it.
    if (!hadLock && isNoDatabase(cause)) rmSync(lock, { force: true });
    if (cause instanceof MigrationError) throw cause;
    throw new DatabaseError(`The SQLite file ${file} cannot be opened, created or written.`, {
      cause,
    });
  }
}

/** Whether SQLite says so, in the error or a cause. */
function isNoDatabase(error: unknown): boolean {
  return inspect(error, { depth: 8 }).includes('SQLITE_NOTADB');
}

/** Refuses a file that SQLite would open, but only for reading. Throws DatabaseError. */
function requireWritable(file: string): void {
  if (!existsSync(file)) return;
  for (const path of [file, `${file}-wal`, `${file}-shm`, dirname(file)]) {
    try {
      if (existsSync(path)) accessSync(path, constants.W_OK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new DatabaseError(
        `The SQLite file ${file} is read-only for this user (${path}: ${code}). Give it and its folder to the server's user, or mount its file system for writing.`,
      );
    }
  }
}

async function sqliteClient(
  url: string,
  onError: (error: Error) => void,
  use: PostgresqlUse,
): Promise<Database> {
  const { PrismaClient: SqliteClient } = await import('../../../prisma/generated/sqlite/client.ts');
  const client = new SqliteClient({ adapter: await adapterFor(url, onError, use) });
  await client.$connect();
  return client;
}

/** Does this while no other replica does, and none migrates the database. */
export async function withDatabaseLock<T>(url: string, work: () => Promise<T>): Promise<T> {
  const at = databaseKind(url) === 'sqlite' ? url : (await postgresqlPlace(url)).url;
  return withMigrationLock(at, work);
}

/** Runs one store operation and turns any error into StoreUnavailable. */
export async function orStoreUnavailable<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw new StoreUnavailable('database', cause);
  }
}
