// `npm run migration -- NAME [RELEASE]`: writes the next migration for both databases, from the schema
// of the last one to prisma/schema.prisma. Needs no database. Its name says what older releases must
// know: that it only adds, or that those before RELEASE cannot run with it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { DiffTarget } from '@prisma/schema-engine-wasm';
import {
  type DatabaseKind,
  databaseKinds,
  migrationsFolder,
  schemaFor,
} from '../src/store/migrations/schema.ts';
import { withSchemaEngine } from '../src/store/migrations/schema-engine.ts';
import { notOnlyAdding } from './added-only.ts';

const noFilter = { externalTables: [], externalEnums: [] };

/**
 * The schema as of the last migration, beside the migrations: a diff of two schemas needs no shadow
 * database.
 */
function snapshotPath(kind: DatabaseKind): string {
  return join(migrationsFolder(kind), 'schema.snapshot');
}

/** SQL from the last migration's schema to today's; empty when they agree. */
export async function pendingMigration(kind: DatabaseKind): Promise<string> {
  const snapshot = snapshotPath(kind);
  const datamodel = (content: string): DiffTarget => ({
    tag: 'schemaDatamodel',
    files: [{ path: 'schema.prisma', content }],
  });
  const from: DiffTarget = existsSync(snapshot)
    ? datamodel(readFileSync(snapshot, 'utf8'))
    : { tag: 'empty' };
  const adapter = kind === 'sqlite' ? new PrismaLibSql({ url: ':memory:' }) : offlinePostgresql;
  const { stdout, exitCode } = await withSchemaEngine(kind, adapter, (engine) =>
    engine.diff({
      from,
      to: datamodel(schemaFor(kind)),
      script: true,
      exitCode: true,
      filters: noFilter,
    }),
  );
  return exitCode === 0 ? '' : (stdout ?? '').replace(/^-- CreateSchema\n.*\n\n/, '');
}

// A diff of two schemas reads nothing, but the engine greets its database; this one has nothing to
// say.
const silent: SqlDriverAdapter = {
  provider: 'postgres',
  adapterName: 'offline',
  executeScript: () => Promise.resolve(),
  queryRaw: () => Promise.resolve({ columnNames: [], columnTypes: [], rows: [] }),
  executeRaw: () => Promise.resolve(0),
  startTransaction: () => Promise.reject(new Error('offline')),
  getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: false }),
  dispose: () => Promise.resolve(),
};
const offlinePostgresql: SqlMigrationAwareDriverAdapterFactory = {
  provider: 'postgres',
  adapterName: 'offline',
  connect: () => Promise.resolve(silent),
  connectToShadowDb: () => Promise.resolve(silent),
};

async function writeMigration(name: string, release?: string): Promise<void> {
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const what = release === undefined ? 'expand' : `contract_${release.replaceAll('.', '_')}`;
  const folderName = `${stamp}_${what}_${name}`;
  const pending = new Map<DatabaseKind, string>();
  for (const kind of databaseKinds) pending.set(kind, await pendingMigration(kind));
  const refused = [...pending.values()].flatMap(notOnlyAdding);
  if (release === undefined && refused.length > 0) {
    console.error(
      `A replica of the release before would not survive this:\n${refused.join('\n')}\nAdd first, and take away once a release does not use it: npm run migration -- NAME RELEASE`,
    );
    process.exit(1);
  }
  for (const [kind, sql] of pending) {
    if (sql === '') {
      console.log(`${kind}: nothing to do`);
      continue;
    }
    const folder = join(migrationsFolder(kind), folderName);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'migration.sql'), sql);
    writeFileSync(snapshotPath(kind), schemaFor(kind));
    console.log(`${kind}: wrote ${folderName}`);
  }
}

if (import.meta.main) {
  const [name, release] = process.argv.slice(2);
  if (
    name === undefined ||
    !/^[a-z0-9_]+$/.test(name) ||
    !/^\d+\.\d+\.\d+$/.test(release ?? '0.0.0')
  ) {
    console.error(
      'Usage: npm run migration -- NAME [RELEASE]   (lower case letters, digits, _; the first release that does not use what it takes away)',
    );
    process.exit(2);
  }
  await writeMigration(name, release);
}
