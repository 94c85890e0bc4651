import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseKinds } from '../../src/store/migrations/schema.ts';
import { scratchFolder } from '../support/scratch.ts';

const root = join(import.meta.dirname, '../..');

/** This server with one migration more, as a next release would have it. */
export interface NextRelease {
  readonly program: readonly [string, string];
  remove(): void;
}

const isNoMap = (path: string) => !path.endsWith('.map');

/** Makes one, from dist/. */
export function nextRelease(migration: string, sql: string): NextRelease {
  const folder = scratchFolder();
  for (const path of ['dist', 'package.json', 'prisma/schema.prisma', 'prisma/migrations'])
    cpSync(join(root, path), join(folder, path), { recursive: true, filter: isNoMap });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const kind of databaseKinds) {
    const made = join(folder, 'prisma/migrations', kind, migration);
    mkdirSync(made);
    writeFileSync(join(made, 'migration.sql'), sql);
  }
  return {
    program: [process.execPath, join(folder, 'dist/main.js')],
    remove: () => rmSync(folder, { recursive: true }),
  };
}
