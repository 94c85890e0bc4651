import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { fileUrl } from '../../config/database-url.ts';
import { isInTheWay } from './in-the-way.ts';
import { acquireWriteLock } from './write-lock.ts';

/** Settings of every SQLite connection. FULL: uses of proofs survive a power failure. */
export const sqlitePragmas: readonly string[] = [
  'busy_timeout = 1500',
  'journal_mode = WAL',
  'synchronous = FULL',
];

const reads = /^\s*(select|pragma)\b/i;

/**
 * Prisma's driver adapter for a SQLite file, which is created with its folder if missing. It writes
 * under the write lock.
 */
export async function sqliteAdapter(
  file: string,
  pragmas: readonly string[] = [],
): Promise<SqlMigrationAwareDriverAdapterFactory> {
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
  return Object.assign(factory, {
    connect: async () => writingWithLock(await renewedWhenBusy(connect, pragmas), file),
  });
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

/** Milliseconds after which a replaced connection is closed; nothing uses it any more then. */
const closeAfter = 1000;

/**
 * Replaces the connection after a statement that waited in vain for another process. The driver
 * leaves such a statement unfinished until it is garbage, and until then SQLite commits no other
 * write of the connection, although it reports success, and keeps the lock.
 */
async function renewedWhenBusy(
  connect: () => Promise<SqlDriverAdapter>,
  pragmas: readonly string[],
): Promise<SqlDriverAdapter> {
  const open = async () => {
    const connection = await connect();
    for (const pragma of pragmas) await connection.executeScript(`pragma ${pragma}`);
    return connection;
  };
  const first = await open();
  let current = first;
  const renewing = async <T>(work: (connection: SqlDriverAdapter) => Promise<T>): Promise<T> => {
    const used = current;
    try {
      return await work(used);
    } catch (error) {
      if (isInTheWay(error) && used === current) {
        current = await open();
        setTimeout(() => void used.dispose(), closeAfter).unref();
      }
      throw error;
    }
  };
  return {
    provider: first.provider,
    adapterName: first.adapterName,
    queryRaw: async (of) => renewing((connection) => connection.queryRaw(of)),
    executeRaw: async (of) => renewing((connection) => connection.executeRaw(of)),
    executeScript: async (script) => renewing((connection) => connection.executeScript(script)),
    startTransaction: async (isolation) =>
      renewing((connection) => connection.startTransaction(isolation)),
    dispose: async () => current.dispose(),
  };
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
