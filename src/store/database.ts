import type { PrismaClient } from '../../prisma/generated/sqlite/client.ts';
import { StoreUnavailable } from '../oauth-error.ts';
import { adapterFor, databaseKind, migrationAdapterFor } from './adapters.ts';
import { migrate } from './migrate.ts';

/** Prisma's client; both databases have the same models. */
export type Database = PrismaClient;

/** Opens the database that the URL names, brings its structure up to date, and answers Prisma's client for it. */
export async function openDatabase(url: string, onError: (error: Error) => void): Promise<Database> {
  const kind = databaseKind(url);
  await migrate(kind, migrationAdapterFor(url));
  const adapter = adapterFor(url, onError);
  if (kind === 'postgresql') {
    const { PrismaClient } = await import('../../prisma/generated/postgresql/client.ts');
    return new PrismaClient({ adapter }) as unknown as Database;
  }
  const { PrismaClient } = await import('../../prisma/generated/sqlite/client.ts');
  const client = new PrismaClient({ adapter });
  // FULL: an answered token survives a power cut too, so that its proof cannot count again.
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'busy_timeout = 1500']) await client.$queryRawUnsafe(`pragma ${pragma}`);
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
