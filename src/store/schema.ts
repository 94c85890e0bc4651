import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The databases that Holdfast runs on. */
export const databaseKinds = ['sqlite', 'postgresql'] as const;
export type DatabaseKind = (typeof databaseKinds)[number];

/** The one schema file. */
export const schemaPath: string = join(import.meta.dirname, '../../prisma/schema.prisma');

/** Folder of the migrations of one database kind. */
export function migrationsFolder(kind: DatabaseKind): string {
  return join(import.meta.dirname, '../../prisma/migrations', kind);
}

/** The schema's text for one database kind. */
export function schemaFor(
  kind: DatabaseKind,
  text: string = readFileSync(schemaPath, 'utf8'),
): string {
  return text.replace(/provider = "sqlite"/, `provider = "${kind}"`);
}
