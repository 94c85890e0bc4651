import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { adapterFor as uncounted } from '../src/store/connection/adapters.ts';

export { migrationAdapterFor } from '../src/store/connection/adapters.ts';

/** What the benchmark hears when it asks. */
export interface StatementCount {
  /** Statements sent since the start. */
  readonly statements: number;
}

let statements = 0;
process.on('message', () => process.send?.({ statements } satisfies StatementCount));

/** The adapter of the server itself, with a count of its statements. */
export async function adapterFor(
  ...options: Parameters<typeof uncounted>
): Promise<SqlMigrationAwareDriverAdapterFactory> {
  const factory = await uncounted(...options);
  const connect = factory.connect.bind(factory);
  return Object.assign(factory, { connect: async () => counted(await connect()) });
}

function counted(adapter: SqlDriverAdapter): SqlDriverAdapter {
  const { queryRaw, executeRaw } = adapter;
  return Object.assign(adapter, {
    queryRaw: (...query: Parameters<typeof queryRaw>) => {
      statements++;
      return queryRaw.apply(adapter, query);
    },
    executeRaw: (...query: Parameters<typeof executeRaw>) => {
      statements++;
      return executeRaw.apply(adapter, query);
    },
  });
}
