import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { DatabaseKind } from './schema.ts';
import { migrationList, migrationNames, withSchemaEngine } from './schema-engine.ts';

/** The database's structure is not one that this version can bring up to date; the message says what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

interface Applied {
  readonly name: string;
  readonly finished: boolean;
}

/** Applies the missing migrations in this process, under the engine's lock; loads the engine only when one is missing. Throws MigrationError. */
export async function migrate(kind: DatabaseKind, adapter: SqlMigrationAwareDriverAdapterFactory): Promise<void> {
  const names = migrationNames(kind);
  const applied = await appliedMigrations(kind, adapter);
  const unknown = applied.find(({ name }) => !names.includes(name));
  if (unknown !== undefined)
    throw new MigrationError(
      `The database has a migration that this version of Holdfast does not know (${unknown.name}): start the newer version, or restore a backup. Nothing was changed.`,
    );
  const failed = applied.find(({ finished }) => !finished);
  if (failed !== undefined)
    throw new MigrationError(
      `The migration ${failed.name} was begun and not finished: restore the database from a backup made before it. Nothing was changed.`,
    );
  if (applied.length === names.length) return;
  try {
    await withSchemaEngine(kind, adapter, (engine) =>
      engine.applyMigrations({ migrationsList: migrationList(kind), filters: { externalTables: [], externalEnums: [] } }),
    );
  } catch (cause) {
    throw new MigrationError(
      'A migration could not be applied: see the cause, restore the database from a backup if it says that the migration failed half-way, then start again.',
      { cause },
    );
  }
}

async function appliedMigrations(kind: DatabaseKind, adapter: SqlMigrationAwareDriverAdapterFactory): Promise<readonly Applied[]> {
  const connection = await adapter.connect();
  try {
    const table =
      kind === 'sqlite'
        ? "select count(*) from sqlite_master where name = '_prisma_migrations'"
        : "select count(*) from pg_class where oid = to_regclass('_prisma_migrations')";
    const [[count] = []] = (await query(connection, table)) as readonly (readonly unknown[])[];
    if (Number(count) === 0) return [];
    const rows = await query(
      connection,
      'select migration_name, finished_at is not null from _prisma_migrations where rolled_back_at is null order by migration_name',
    );
    return rows.map(([name, finished]) => ({ name: String(name), finished: Boolean(Number(finished)) }));
  } finally {
    await connection.dispose();
  }
}

async function query(connection: SqlDriverAdapter, sql: string): Promise<readonly (readonly unknown[])[]> {
  return (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
}
