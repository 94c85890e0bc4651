import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
  SqlQueryable,
  Transaction,
} from '@prisma/driver-adapter-utils';
import { databaseFile, databaseKind, fileUrl } from '../../config/database-url.ts';
import { migrationAdapterFor } from '../connection/adapters.ts';

/** A transaction in which all migrations run with their records, or none does. */
export interface MigrationTransaction {
  /** For the schema engine: every connection that it opens is this transaction. */
  readonly adapter: SqlMigrationAwareDriverAdapterFactory;
  /** The first error from the database, which the engine's own error hides. */
  fault(): unknown;
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

/**
 * Milliseconds that a migration waits for a PostgreSQL table. Statements of other replicas queue
 * behind it and give up after 850, so it gives up early and is retried.
 */
const lockTimeout = 200;

interface Begun {
  readonly connection: SqlDriverAdapter;
  readonly transaction: Transaction;
  /** Runs a script of several statements in the transaction. */
  script(text: string): Promise<void>;
}

/** Begins a migration. A SQLite file must exist. */
export async function beginMigration(url: string, schema?: string): Promise<MigrationTransaction> {
  const { connection, transaction, script } = await (databaseKind(url) === 'sqlite'
    ? onSqlite(url)
    : onPostgresql(url, schema));
  let fault: unknown;
  const observed = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      fault ??= error;
      throw error;
    });
  const { provider, adapterName } = connection;
  const all: SqlDriverAdapter = {
    provider,
    adapterName,
    queryRaw: async (query) => observed(transaction.queryRaw(query)),
    executeRaw: async (query) => observed(transaction.executeRaw(query)),
    executeScript: async (text) => observed(script(text)),
    startTransaction: () => Promise.reject(new Error('migrations are one transaction')),
    getConnectionInfo: () => connection.getConnectionInfo?.() ?? { supportsRelationJoins: false },
    dispose: () => Promise.resolve(),
  };
  const end = async (statement: 'COMMIT' | 'ROLLBACK') => {
    try {
      // Some adapters leave this statement to their caller.
      if (!transaction.options.usePhantomQuery) await run(transaction, statement);
      await (statement === 'COMMIT' ? transaction.commit() : transaction.rollback());
    } finally {
      await connection.dispose();
    }
  };
  return {
    adapter: {
      provider,
      adapterName,
      connect: () => Promise.resolve(all),
      connectToShadowDb: () => Promise.reject(new Error('nothing needs a shadow database')),
    },
    fault: () => fault,
    commit: async () => end('COMMIT'),
    rollBack: async () => end('ROLLBACK'),
  };
}

async function onSqlite(url: string): Promise<Begun> {
  const { PrismaLibSql } = await import('@prisma/adapter-libsql');
  const factory = new PrismaLibSql({ url: fileUrl(databaseFile(url)) });
  const open = factory.createClient.bind(factory);
  let script: Begun['script'] = () => Promise.reject(new Error('no transaction has begun'));
  factory.createClient = (config) => {
    const client = open(config);
    const begin = client.transaction.bind(client);
    client.transaction = async () => {
      // Not deferred: after a read, it could not write once another replica has written.
      const transaction = await begin('write');
      script = transaction.executeMultiple.bind(transaction);
      return transaction;
    };
    return client;
  };
  const connection = await factory.connect();
  const transaction = await begun(connection);
  return { connection, transaction, script };
}

async function onPostgresql(url: string, schema?: string): Promise<Begun> {
  const connection = await (await migrationAdapterFor(url, schema)).connect();
  const transaction = await begun(connection);
  await run(transaction, `set local lock_timeout = ${lockTimeout}`);
  return {
    connection,
    transaction,
    // Splits a script as the adapter does.
    async script(text) {
      for (const statement of text.split(';'))
        if (statement.trim() !== '') await run(transaction, statement);
    },
  };
}

async function begun(connection: SqlDriverAdapter): Promise<Transaction> {
  try {
    return await connection.startTransaction();
  } catch (error) {
    await connection.dispose();
    throw error;
  }
}

async function run(on: SqlQueryable, sql: string): Promise<void> {
  await on.executeRaw({ sql, args: [], argTypes: [] });
}
