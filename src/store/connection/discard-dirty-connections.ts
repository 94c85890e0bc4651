import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';

/** What is needed of a connection of `pg`, and of its pool. */
interface Connection {
  /** As PostgreSQL said last: `I` is idle, `T` in a transaction, `E` in a failed one. */
  getTransactionStatus(): string | null;
  /** Ends it, at once while a statement is under way. */
  end(): Promise<void>;
}
interface Pool {
  on(event: 'release', listener: (error: unknown, connection: Connection) => void): unknown;
}

/**
 * A connection that comes back to the pool in the middle of a transaction is ended, and PostgreSQL
 * undoes what was begun. It comes back so when the answer to a statement took too long, and that to
 * ROLLBACK too: Prisma lets go of it all the same. Whoever got it next would write into that
 * transaction: answered as durable, seen by nobody, and gone with the connection.
 */
export function discardDirtyConnections(
  factory: SqlMigrationAwareDriverAdapterFactory,
): SqlMigrationAwareDriverAdapterFactory {
  const connect = factory.connect.bind(factory);
  return Object.assign(factory, {
    async connect(): Promise<SqlDriverAdapter> {
      const adapter = await connect();
      // The event comes before the pool decides whether to keep the connection; one that is ending
      // is not kept.
      (adapter as SqlDriverAdapter & { underlyingDriver(): Pool })
        .underlyingDriver()
        .on('release', (_error, connection) => {
          const status = connection.getTransactionStatus();
          if (status === 'T' || status === 'E') void connection.end();
        });
      return adapter;
    },
  });
}
