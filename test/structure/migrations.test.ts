import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { notOnlyAdding } from '../../scripts/added-only.ts';
import { contracts, expands, refusalOfNewer } from '../../src/store/migrations/newer-migrations.ts';
import { databaseKinds, migrationsFolder } from '../../src/store/migrations/schema.ts';
import { migrationNames } from '../../src/store/migrations/schema-engine.ts';

/** The first release has one migration; the names of those until here say nothing. */
const [first, lastUnnamed] = [
  '20261128172941_init',
  '20261128224500_configured_authorization_servers',
];

const migrations = databaseKinds.flatMap((kind) =>
  migrationNames(kind)
    .filter((name) => name > first)
    .map((name) => ({
      kind,
      name,
      sql: readFileSync(join(migrationsFolder(kind), name, 'migration.sql'), 'utf8'),
    })),
);

describe('each migration after the first release', () => {
  it.each(migrations.filter(({ name }) => !contracts.test(name)))(
    '$kind $name only adds',
    ({ sql }) => {
      expect(notOnlyAdding(sql)).toEqual([]);
    },
  );

  it('says in its name whether it expands, or contracts and for which release on', () => {
    const silent = migrations
      .map(({ name }) => name)
      .filter((name) => name > lastUnnamed && !expands.test(name) && !contracts.test(name));
    expect(silent).toEqual([]);
  });

  it('leaves this release itself in peace, if it contracts', () => {
    const contracting = migrations.filter(({ name }) => contracts.test(name));
    expect(contracting.flatMap(({ name }) => refusalOfNewer(name) ?? [])).toEqual([]);
  });
});

describe('a migration does not only add', () => {
  it.each([
    ['DROP TABLE "client"'],
    ['ALTER TABLE "client" DROP COLUMN "metadata"'],
    ['ALTER TABLE "client" RENAME TO "clients"'],
    ['ALTER TABLE "client" RENAME COLUMN "metadata" TO "members"'],
    ['ALTER TABLE "client" ALTER COLUMN "version" SET DATA TYPE TEXT'],
    ['ALTER TABLE "client" ALTER COLUMN "managed_by" SET NOT NULL'],
    ['ALTER TABLE "client" ADD COLUMN "colour" TEXT NOT NULL'],
    ['ALTER TABLE "client" ADD COLUMN "a" TEXT,\nADD COLUMN "b" TEXT NOT NULL'],
    ['ALTER TABLE "client" ADD COLUMN "a" TEXT, DROP COLUMN "metadata"'],
    ['ALTER TABLE "client" ADD COLUMN "a" TEXT UNIQUE'],
    ['ALTER TABLE "client" ADD COLUMN "a" TEXT CHECK ("a" IS NOT NULL)'],
    ['ALTER TABLE "client" ADD CONSTRAINT "named" CHECK ("version" > 0)'],
    ['CREATE UNIQUE INDEX "client_name" ON "client"("client_name")'],
    ['CREATE INDEX "client_colour" ON "client"((("metadata"::json)->>\'colour\'))'],
    ['CREATE INDEX "client_colour" ON "client"(json_extract("metadata", \'$.colour\'))'],
    ['CREATE INDEX "client_colour" ON "client"("version") WHERE 1 / "version" > 0'],
    ['CREATE INDEX "client_search" ON "client" USING GIN ("metadata")'],
    [
      'CREATE TABLE "hue" (\n    "id" TEXT NOT NULL,\n    CONSTRAINT "hue_fkey" FOREIGN KEY ("id") REFERENCES "client" ("client_id") ON DELETE RESTRICT ON UPDATE CASCADE\n)',
    ],
    ['CREATE TABLE "hue" ("id" TEXT NOT NULL references client)'],
    ['CREATE INDEX CONCURRENTLY "client_name" ON "client"("client_name")'],
    ['CREATE TABLE "new_client" ("a" TEXT);\nINSERT INTO "new_client" SELECT "a" FROM "client"'],
    ['UPDATE "client" SET "metadata" = \'{}\''],
    ['DELETE FROM "client"'],
    ['PRAGMA foreign_keys=OFF'],
    [
      'CREATE TRIGGER "refuse" BEFORE INSERT ON "client" BEGIN\n  SELECT RAISE(ABORT, \'no\');\nEND',
    ],
    [
      'CREATE TRIGGER "t" AFTER INSERT ON "client" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; DELETE FROM "client"; END',
    ],
  ])('with %s', (statement) => {
    expect(notOnlyAdding(`-- A comment; of one line.\n${statement};\n`)).toHaveLength(1);
  });

  it('but does with a table, its unique index, columns that may be left out, and an index', () => {
    const sql = [
      'CREATE TABLE "hue" (\n    "id" TEXT NOT NULL,\n\n    CONSTRAINT "hue_pkey" PRIMARY KEY ("id")\n)',
      'CREATE UNIQUE INDEX "hue_id_key" ON "hue"("id")',
      'CREATE TABLE "shade" ("hue" TEXT NOT NULL, CONSTRAINT "shade_fkey" FOREIGN KEY ("hue") REFERENCES "hue" ("id"))',
      'CREATE INDEX "hue_lower_idx" ON "hue"(lower("id"))',
      'ALTER TABLE "client" ADD COLUMN     "a" TEXT,\nADD COLUMN     "b" BOOLEAN NOT NULL DEFAULT false',
      'ALTER TABLE "client" ADD COLUMN "c" TEXT NOT NULL DEFAULT \'\'',
      'CREATE INDEX "client_a_idx" ON "client"("a") WHERE "a" IS NOT NULL',
      'CREATE INDEX "client_a_c_idx" ON "client"("a", "c" DESC)',
    ];
    expect(notOnlyAdding(sql.map((statement) => `${statement};\n`).join('\n'))).toEqual([]);
  });
});
