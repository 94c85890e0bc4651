import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';

/** The parts of a `pg` connection that are used. */
interface Connection {
  /** The last status from PostgreSQL: `I` idle, `T` in a transaction, `E` in a failed one. */
  getTransactionStatus(): string | null;
  /** Closes the connection, even while a statement runs. */
  end(): Promise<void>;
}
interface Pool {
  on(event: 'release', listener: (error: unknown, connection: Connection) => void): unknown;
}

/**
 * Closes a connection that returns to the pool inside a transaction, which PostgreSQL then rolls
 * back. Prisma releases such a connection after both a statement and its ROLLBACK time out; the
 * next user would write into that transaction, reported as durable, visible to nobody, and lost
 * with the connection.
 */
export function discardDirtyConnections(
  factory: SqlMigrationAwareDriverAdapterFactory,
): SqlMigrationAwareDriverAdapterFactory {
  const connect = factory.connect.bind(factory);
  return Object.assign(factory, {
    async connect(): Promise<SqlDriverAdapter> {
      const adapter = await connect();
      // The event comes before the pool decides whether to keep the connection; it does not keep
      // one that is closing.
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
