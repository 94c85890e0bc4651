import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { databaseFile, databaseKind } from '../../config/database-url.ts';
import type { Measurements } from '../../ports/measurements.ts';
import { discardDirtyConnections } from './discard-dirty-connections.ts';
import { measuredAdapter } from './measured-adapter.ts';
import { statementName } from './prepared-statements.ts';
import { sqliteAdapter, sqlitePragmas } from './sqlite-adapter.ts';

/**
 * Milliseconds after which a silent database counts as unavailable; two in a row stay below the 2 s
 * that a client waits.
 */
const answerTimeout = 950;
/** The same for a statement that concerns many clients. */
const patientTimeout = 10_000;
/**
 * By how many milliseconds PostgreSQL ends a statement earlier: it is then known to have changed
 * nothing, whereas one that is no longer waited for may still be committed.
 */
const earlier = 100;

/** How a process uses PostgreSQL. */
export interface PostgresqlUse {
  /** Maximum connections. */
  readonly poolSize: number;
  /** False: no state stays in a connection, as poolers in transaction mode require. */
  readonly preparedStatements: boolean;
  /** The schema of the tables; `public` unless given. */
  readonly schema?: string;
  readonly measured?: Pick<Measurements, 'store'> | undefined;
}

/**
 * Prisma's driver adapter for a `DATABASE_URL`. `onError` receives the errors of broken idle
 * connections; the pool opens new ones.
 */
export async function adapterFor(
  url: string,
  onError: (error: Error) => void,
  { poolSize, preparedStatements, schema, measured }: PostgresqlUse = {
    poolSize: 1,
    preparedStatements: true,
  },
): Promise<SqlMigrationAwareDriverAdapterFactory> {
  if (databaseKind(url) === 'sqlite')
    return measuredAdapter(await sqliteAdapter(databaseFile(url), sqlitePragmas), measured);
  const { PrismaPg } = await import('@prisma/adapter-pg');
  const factory = discardDirtyConnections(
    new PrismaPg(
      {
        connectionString: url,
        connectionTimeoutMillis: answerTimeout,
        query_timeout: answerTimeout,
        statement_timeout: answerTimeout - earlier,
        max: poolSize,
        keepAlive: true,
      },
      {
        onPoolError: onError,
        onConnectionError: onError,
        ...(schema !== undefined && { schema }),
        ...(preparedStatements && { statementNameGenerator: statementName }),
      },
    ),
  );
  return measuredAdapter(factory, measured);
}

/** Creates a PostgreSQL adapter for a few statements that may take long. */
export async function patientAdapterFor(
  url: string,
): Promise<SqlMigrationAwareDriverAdapterFactory> {
  const { PrismaPg } = await import('@prisma/adapter-pg');
  return new PrismaPg({
    connectionString: url,
    connectionTimeoutMillis: answerTimeout,
    query_timeout: patientTimeout,
    statement_timeout: patientTimeout - earlier,
  });
}

/** Creates an adapter without time limits for migrations, which may wait for another replica's. */
export async function migrationAdapterFor(
  url: string,
  schema?: string,
): Promise<SqlMigrationAwareDriverAdapterFactory> {
  if (databaseKind(url) === 'sqlite') return sqliteAdapter(databaseFile(url));
  const { PrismaPg } = await import('@prisma/adapter-pg');
  return new PrismaPg(
    { connectionString: url, connectionTimeoutMillis: 5000 },
    schema === undefined ? {} : { schema },
  );
}
