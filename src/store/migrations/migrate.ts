import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { DatabaseKind } from './schema.ts';
import { migrationList, migrationNames, withSchemaEngine } from './schema-engine.ts';

/**
 * The database's structure is not one that this version can bring up to date; the message says what
 * to do.
 */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

interface Applied {
  readonly name: string;
  readonly finished: boolean;
}

/** Whether every migration of this version is applied and there is no other. */
export async function isUpToDate(
  kind: DatabaseKind,
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<boolean> {
  return matches(await appliedMigrations(kind, adapter), migrationNames(kind));
}

/**
 * Applies the missing migrations in this process; loads the engine only when one is missing. Under
 * `withMigrationLock`. Throws MigrationError.
 */
export async function migrate(
  kind: DatabaseKind,
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<void> {
  const names = migrationNames(kind);
  const applied = await appliedMigrations(kind, adapter);
  if (matches(applied, names)) return;
  refuseUnknownOrUnfinished(applied, names);
  try {
    await withSchemaEngine(kind, adapter, (engine) =>
      engine.applyMigrations({
        migrationsList: migrationList(kind),
        filters: { externalTables: [], externalEnums: [] },
      }),
    );
  } catch (cause) {
    throw new MigrationError(
      'A migration could not be applied: see the cause, restore the database from a backup if it says that the migration failed half-way, then start again.',
      { cause },
    );
  }
}

function matches(applied: readonly Applied[], names: readonly string[]): boolean {
  return (
    applied.length === names.length &&
    applied.every(({ name, finished }) => finished && names.includes(name))
  );
}

function refuseUnknownOrUnfinished(applied: readonly Applied[], names: readonly string[]): void {
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
}

async function appliedMigrations(
  kind: DatabaseKind,
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<readonly Applied[]> {
  const connection = await adapter.connect();
  try {
    const table =
      kind === 'sqlite'
        ? "select count(*) from sqlite_master where name = '_prisma_migrations'"
        : "select count(*) from pg_class where oid = to_regclass(quote_ident(current_schema()) || '._prisma_migrations')";
    const [[count] = []] = (await query(connection, table)) as readonly (readonly unknown[])[];
    if (Number(count) === 0) return [];
    const rows = await query(
      connection,
      'select migration_name, finished_at is not null from _prisma_migrations where rolled_back_at is null order by migration_name',
    );
    return rows.map(([name, finished]) => ({
      name: String(name),
      finished: Boolean(Number(finished)),
    }));
  } finally {
    await connection.dispose();
  }
}

async function query(
  connection: SqlDriverAdapter,
  sql: string,
): Promise<readonly (readonly unknown[])[]> {
  return (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
}
