import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { fileUrl } from '../../config/database-url.ts';
import { acquireWriteLock } from './write-lock.ts';

const reads = /^\s*(select|pragma)\b/i;

/**
 * Prisma's driver adapter for a SQLite file, which is created with its folder if missing. It writes
 * under the write lock.
 */
export async function sqliteAdapter(file: string): Promise<SqlMigrationAwareDriverAdapterFactory> {
  // Loaded only here, so that PostgreSQL starts without it.
  const { PrismaLibSql } = await import('@prisma/adapter-libsql');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // Only if it does not exist: closing a file releases every lock that this process holds on it
  // (POSIX), including SQLite's, which shows other programs that the database is in use.
  for (const path of [file, `${file}.migrating`])
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  for (const path of [file, `${file}-wal`, `${file}-shm`, `${file}.migrating`]) makePrivate(path);
  const factory = new PrismaLibSql({ url: fileUrl(file) });
  const connect = factory.connect.bind(factory);
  return Object.assign(factory, { connect: async () => writingWithLock(await connect(), file) });
}

/**
 * Makes the file private to the server's user; SQLite gives its other files the same permissions. A
 * file of another user stays as it is.
 */
function makePrivate(path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o077) === 0) return;
  try {
    chmodSync(path, 0o600);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) throw error;
  }
}

function writingWithLock(adapter: SqlDriverAdapter, file: string): SqlDriverAdapter {
  const [query, execute, start] = [
    adapter.queryRaw.bind(adapter),
    adapter.executeRaw.bind(adapter),
    adapter.startTransaction.bind(adapter),
  ];
  const withLock = async <T>(write: () => Promise<T>): Promise<T> => {
    const end = await acquireWriteLock(file);
    return write().finally(end);
  };
  return Object.assign(adapter, {
    queryRaw: async (of: Parameters<typeof query>[0]) =>
      reads.test(of.sql) ? query(of) : withLock(() => query(of)),
    executeRaw: async (of: Parameters<typeof execute>[0]) => withLock(() => execute(of)),
    async startTransaction(isolation: Parameters<typeof start>[0]) {
      const end = await acquireWriteLock(file);
      try {
        const transaction = await start(isolation);
        const [commit, rollback] = [
          transaction.commit.bind(transaction),
          transaction.rollback.bind(transaction),
        ];
        return Object.assign(transaction, {
          commit: () => commit().finally(end),
          rollback: () => rollback().finally(end),
        });
      } catch (error) {
        end();
        throw error;
      }
    },
  });
}
