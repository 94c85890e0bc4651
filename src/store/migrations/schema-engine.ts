import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
// This entry needs no bundler; `schema_engine.js` imports the WebAssembly file in a way that Node
// does not support.
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import { type DatabaseKind, migrationsFolder, schemaFor } from './schema.ts';

interface EngineModule {
  readonly SchemaEngine: typeof SchemaEngine;
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
}

let instantiated: Promise<EngineModule> | undefined;

async function instantiate(): Promise<EngineModule> {
  const module = engineModule as unknown as EngineModule;
  const binary = await readFile(
    new URL(
      'schema_engine_bg.wasm',
      import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'),
    ),
  );
  const { instance } = await WebAssembly.instantiate(binary, {
    './schema_engine_bg.js': engineModule as unknown as WebAssembly.ModuleImports,
  });
  module.__wbg_set_wasm(instance.exports);
  (instance.exports['__wbindgen_start'] as () => void)();
  return module;
}

/** Runs `work` with Prisma's schema engine, in this process, on the database behind the adapter. */
export async function withSchemaEngine<T>(
  kind: DatabaseKind,
  adapter: SqlMigrationAwareDriverAdapterFactory,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  instantiated ??= instantiate();
  const { SchemaEngine: Engine } = await instantiated;
  const engine = await Engine.new(
    { datamodels: [['schema.prisma', schemaFor(kind)]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(adapter),
  );
  try {
    return await work(engine);
  } finally {
    engine.free();
  }
}

/** Names of the migrations of one database kind, oldest first. */
export function migrationNames(
  kind: DatabaseKind,
  folder: string = migrationsFolder(kind),
): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** The migrations of one database kind in the form that the engine expects. */
export function migrationList(
  kind: DatabaseKind,
  folder: string = migrationsFolder(kind),
): MigrationList {
  return {
    baseDir: folder,
    lockfile: { path: 'migration_lock.toml', content: `provider = "${kind}"\n` },
    shadowDbInitScript: '',
    migrationDirectories: migrationNames(kind, folder).map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: readFileSync(join(folder, name, 'migration.sql'), 'utf8') },
      },
    })),
  };
}
