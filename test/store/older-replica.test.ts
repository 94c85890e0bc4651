import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/connection/database.ts';
import { migrationsFolder } from '../../src/store/migrations/schema.ts';
import { scratchFolder } from '../support/scratch.ts';

// An upgrade replaces one replica after another: those that are left use the new structure.

/** The first migration of the release that is out; what comes after it may only add. */
const released = '20261128172941_init';
/**
 * What a server of that release said to SQLite from its start to a bound token, with changes of
 * every kind of registration between.
 */
const statements = JSON.parse(
  readFileSync(join(import.meta.dirname, 'statements-of-the-release-before.json'), 'utf8'),
) as readonly string[];

const folder = scratchFolder();
let [before, after]: SqliteDatabase.Database[] = [];
beforeAll(async () => {
  before = new SqliteDatabase(join(folder, 'before.db'));
  for (const name of readdirSync(migrationsFolder('sqlite')).sort())
    if (name <= released)
      before.exec(readFileSync(join(migrationsFolder('sqlite'), name, 'migration.sql'), 'utf8'));
  const file = join(folder, 'after.db');
  await (await openDatabase(`file:${file}`, () => undefined)).$disconnect();
  after = new SqliteDatabase(file);
});
afterAll(() => {
  before?.close();
  after?.close();
  rmSync(folder, { recursive: true });
});

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
}
const rows = <T>(database: SqliteDatabase.Database | undefined, sql: string) =>
  (database?.prepare(sql).all() ?? []) as T[];
const tables = () =>
  rows<{ name: string }>(before, "select name from sqlite_schema where type = 'table'").map(
    ({ name }) => name,
  );
const columns = (database: SqliteDatabase.Database | undefined, table: string) =>
  rows<Column>(database, `select * from pragma_table_info('${table}')`);

describe('a replica of the release before, beside the structure of this one', () => {
  it('can say every statement that it says', () => {
    expect(statements.length).toBeGreaterThan(30);
    const refused = statements.flatMap((sql) => {
      try {
        after?.prepare(sql);
        return [];
      } catch (error) {
        return [`${(error as Error).message}: ${sql}`];
      }
    });
    expect(refused).toEqual([]);
  });

  it('finds every column, and none that it would have to fill without knowing it', () => {
    expect(tables()).toContain('client');
    const faults = tables().flatMap((table) => {
      const [old, now] = [columns(before, table), columns(after, table)];
      const lost = old.filter(
        ({ name, type, notnull }) =>
          !now.some(
            (column) => column.name === name && column.type === type && column.notnull <= notnull,
          ),
      );
      const demanded = now.filter(
        ({ name, notnull, dflt_value: given }) =>
          notnull === 1 && given === null && !old.some((column) => column.name === name),
      );
      return [...lost, ...demanded].map(({ name }) => `${table}.${name}`);
    });
    expect(faults).toEqual([]);
  });

  it('meets no unique index that it does not know', () => {
    const unique = (database: SqliteDatabase.Database | undefined) =>
      tables().flatMap((table) =>
        rows<{ name: string; unique: number }>(
          database,
          `select name, "unique" from pragma_index_list('${table}')`,
        )
          .filter((index) => index.unique === 1)
          .map(({ name }) => name),
      );
    expect(unique(before)).toEqual(expect.arrayContaining(unique(after)));
  });
});
