import type { SqlDriverAdapter, Transaction } from '@prisma/driver-adapter-utils';
import { patientAdapterFor } from './adapters.ts';
import { postgresqlPlace } from './postgresql-schema.ts';

/** Runs a statement and returns how many rows it changed. */
export type Execute = (sql: string, values: readonly (string | number)[]) => Promise<number>;

/**
 * Runs rare work that nobody else waits for in a PostgreSQL transaction on a separate connection,
 * where a statement may take longer than in the pool. An error rolls it back.
 * @param bound milliseconds after which no further statement begins
 */
export async function patientTransaction(
  url: string,
  bound: number,
  work: (execute: Execute) => Promise<void>,
): Promise<void> {
  const place = await postgresqlPlace(url);
  const connection = await (await patientAdapterFor(place.url)).connect();
  try {
    await within(connection, performance.now() + bound, work);
  } finally {
    // This also ends a transaction that could not be rolled back.
    await connection.dispose();
  }
}

async function within(
  connection: SqlDriverAdapter,
  until: number,
  work: (execute: Execute) => Promise<void>,
): Promise<void> {
  const transaction = await connection.startTransaction();
  try {
    await work(async (sql, values) => {
      if (performance.now() > until) throw new Error('the transaction takes too long');
      const argTypes = values.map((value) => ({
        scalarType: typeof value === 'number' ? ('int' as const) : ('string' as const),
        arity: 'scalar' as const,
      }));
      return transaction.executeRaw({ sql, args: [...values], argTypes });
    });
  } catch (error) {
    await end(transaction, 'ROLLBACK');
    throw error;
  }
  await end(transaction, 'COMMIT');
}

async function end(transaction: Transaction, statement: 'COMMIT' | 'ROLLBACK'): Promise<void> {
  // Some adapters leave this statement to their caller.
  if (!transaction.options.usePhantomQuery)
    await transaction.executeRaw({ sql: statement, args: [], argTypes: [] });
  await (statement === 'COMMIT' ? transaction.commit() : transaction.rollback());
}
