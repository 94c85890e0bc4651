import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseKind } from '../../config/database-url.ts';
import { packageFolder } from '../../config/package.ts';

export { type DatabaseKind, databaseKinds } from '../../config/database-url.ts';

/** The one schema file. */
export const schemaPath: string = join(packageFolder, 'prisma/schema.prisma');

/** Folder of the migrations of one database kind. */
export function migrationsFolder(kind: DatabaseKind): string {
  return join(packageFolder, 'prisma/migrations', kind);
}

/** The schema's text for one database kind. */
export function schemaFor(
  kind: DatabaseKind,
  text: string = readFileSync(schemaPath, 'utf8'),
): string {
  return text.replace(/provider = "sqlite"/, `provider = "${kind}"`);
}
