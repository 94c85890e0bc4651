import { setTimeout as sleep } from 'node:timers/promises';
import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { isInTheWay } from '../connection/in-the-way.ts';
import type { MigrationTransaction } from './migration-transaction.ts';
import { refusalOfNewer } from './newer-migrations.ts';
import type { DatabaseKind } from './schema.ts';
import { migrationList, migrationNames, withSchemaEngine } from './schema-engine.ts';

/** This version cannot bring the structure of the database up to date; the message says why. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Milliseconds between attempts while others use what a migration changes, and after which this
 * counts as a fault.
 */
const [retryEvery, giveUpAfter] = [100, 120_000];

interface Applied {
  readonly name: string;
  readonly finished: boolean;
}

/** Whether this version can serve with the migrations as they are. */
export async function isUpToDate(
  kind: DatabaseKind,
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<boolean> {
  return matches(await appliedMigrations(kind, adapter), migrationNames(kind));
}

/**
 * Applies all missing migrations in this process, or none; loads the engine only if one is missing.
 * Call it in `withMigrationLock`. Throws MigrationError.
 */
export async function migrate(
  kind: DatabaseKind,
  adapter: SqlMigrationAwareDriverAdapterFactory,
  begin: () => Promise<MigrationTransaction>,
): Promise<void> {
  const names = migrationNames(kind);
  const applied = await appliedMigrations(kind, adapter);
  if (matches(applied, names)) return;
  refuseUnknownOrUnfinished(applied, names);
  const deadline = performance.now() + giveUpAfter;
  for (;;) {
    const cause = await attempt(kind, begin);
    if (cause === undefined) return;
    if (!isInTheWay(cause) || performance.now() > deadline)
      throw new MigrationError(
        'The migrations of this version could not be applied, and nothing was changed: see the cause, then start again.',
        { cause },
      );
    await sleep(retryEvery);
  }
}

/** Applies everything missing and returns undefined, or applies nothing and returns why. */
async function attempt(
  kind: DatabaseKind,
  begin: () => Promise<MigrationTransaction>,
): Promise<unknown> {
  let transaction: MigrationTransaction | undefined;
  try {
    transaction = await begin();
    await withSchemaEngine(kind, transaction.adapter, (engine) =>
      engine.applyMigrations({
        migrationsList: migrationList(kind),
        filters: { externalTables: [], externalEnums: [] },
      }),
    );
    await transaction.commit();
    return undefined;
  } catch (error) {
    await transaction?.rollBack().catch(() => undefined);
    return transaction?.fault() ?? error;
  }
}

/** Whether all of this version's are applied; newer ones may exist if it can run with them. */
function matches(applied: readonly Applied[], names: readonly string[]): boolean {
  return (
    names.every((name) => applied.some((one) => one.name === name)) &&
    applied.every(({ name, finished }) => finished && refusalOf(name, names) === undefined)
  );
}

function refusalOf(name: string, names: readonly string[]): string | undefined {
  return names.includes(name) ? undefined : refusalOfNewer(name);
}

function refuseUnknownOrUnfinished(applied: readonly Applied[], names: readonly string[]): void {
  for (const { name } of applied) {
    const refusal = refusalOf(name, names);
    if (refusal !== undefined) throw new MigrationError(`${refusal} Nothing was changed.`);
  }
  const failed = applied.find(({ finished }) => !finished);
  if (failed !== undefined)
    throw new MigrationError(
      `The migration ${failed.name} was begun and not finished: restore the database from a backup made before it. Nothing was changed.`,
    );
  const newer = applied.find(({ name }) => !names.includes(name));
  if (newer !== undefined)
    throw new MigrationError(
      `The database has a newer migration (${newer.name}) and lacks one of this version of Holdfast: start the newer version. Nothing was changed.`,
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
