import { migrationAdapterFor } from '../../src/store/connection/adapters.ts';
import { beginMigration } from '../../src/store/migrations/migration-transaction.ts';
import { migrationList, withSchemaEngine } from '../../src/store/migrations/schema-engine.ts';
import type { TestStore } from './stores.ts';

/** Gives an empty store the structure of the first release: its one migration, as recorded then. */
export async function migrateToFirstRelease({ env }: TestStore): Promise<void> {
  const url = env['DATABASE_URL'] ?? '';
  const kind = url.startsWith('file:') ? 'sqlite' : 'postgresql';
  const all = migrationList(kind);
  // Makes the file.
  await (await (await migrationAdapterFor(url)).connect()).dispose();
  const transaction = await beginMigration(url);
  await withSchemaEngine(kind, transaction.adapter, (engine) =>
    engine.applyMigrations({
      migrationsList: { ...all, migrationDirectories: all.migrationDirectories.slice(0, 1) },
      filters: { externalTables: [], externalEnums: [] },
    }),
  );
  await transaction.commit();
}
