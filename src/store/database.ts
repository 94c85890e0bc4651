import type { PrismaClient } from '../../prisma/generated/sqlite/client.ts';
import { StoreUnavailable } from '../oauth-error.ts';
import { adapterFor, databaseKind, migrationAdapterFor, type PostgresqlUse } from './adapters.ts';
import { isUpToDate, migrate } from './migrate.ts';
import { withMigrationLock } from './migration-lock.ts';

/** Prisma's client; both databases have the same models. */
export type Database = PrismaClient;

/** Opens the database that the URL names, brings its structure up to date, and answers Prisma's client for it. */
export async function openDatabase(
  url: string,
  onError: (error: Error) => void,
  use: PostgresqlUse = { poolSize: 10, preparedStatements: true },
): Promise<Database> {
  const kind = databaseKind(url);
  const adapter = await migrationAdapterFor(url);
  // SQLite has no waiting for a database that another process is just making: even the first look is under the lock.
  if (kind === 'sqlite')
    return withMigrationLock(url, async () => {
      await migrate(kind, adapter);
      return openSqlite(url, onError);
    });
  if (!(await isUpToDate(kind, adapter)))
    await withMigrationLock(url, async () => migrate(kind, adapter));
  const { PrismaClient: PostgresqlClient } = await import(
    '../../prisma/generated/postgresql/client.ts'
  );
  return new PostgresqlClient({
    adapter: await adapterFor(url, onError, use),
  }) as unknown as Database;
}

/** What every connection to SQLite is set to. FULL: an answered token survives a power cut too, so that its proof cannot count again. */
export const sqlitePragmas: readonly string[] = [
  'busy_timeout = 1500',
  'journal_mode = WAL',
  'synchronous = FULL',
];

async function openSqlite(url: string, onError: (error: Error) => void): Promise<Database> {
  const { PrismaClient: SqliteClient } = await import('../../prisma/generated/sqlite/client.ts');
  const client = new SqliteClient({ adapter: await adapterFor(url, onError) });
  for (const pragma of sqlitePragmas) await client.$queryRawUnsafe(`pragma ${pragma}`);
  return client;
}

/** Runs one store operation; whatever it throws means that the database is away. */
export async function answered<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw new StoreUnavailable('database', cause);
  }
}
