import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { type Measurements, timed } from '../../ports/measurements.ts';

/** Measures each statement outside a transaction, and the start of each transaction. */
export function measuredAdapter(
  factory: SqlMigrationAwareDriverAdapterFactory,
  measured: Pick<Measurements, 'store'> | undefined,
): SqlMigrationAwareDriverAdapterFactory {
  if (measured === undefined) return factory;
  const connect = factory.connect.bind(factory);
  const time = timed(measured, 'database');
  return Object.assign(factory, {
    async connect(): Promise<SqlDriverAdapter> {
      const adapter = await connect();
      const [query, execute, start] = [
        adapter.queryRaw.bind(adapter),
        adapter.executeRaw.bind(adapter),
        adapter.startTransaction.bind(adapter),
      ];
      return Object.assign(adapter, {
        queryRaw: async (of: Parameters<typeof query>[0]) => time(() => query(of)),
        executeRaw: async (of: Parameters<typeof execute>[0]) => time(() => execute(of)),
        startTransaction: async (isolation: Parameters<typeof start>[0]) =>
          time(() => start(isolation)),
      });
    },
  });
}
