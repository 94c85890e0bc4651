import { randomBytes } from 'node:crypto';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onPostgresql } from './postgresql.ts';
import { scratchFolder } from './scratch.ts';

/** Environment of a server on stores of its own, and the way to be rid of them. */
export interface TestStore {
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** A kind of store that the suites run on. */
export interface TestStoreKind {
  readonly name: string;
  /** A migrated store without a row, or an `empty` one that nothing was done to. */
  make(state?: 'migrated' | 'empty'): Promise<TestStore>;
}

const postgresql = process.env['TEST_DATABASE_URL'];
const redis = process.env['TEST_REDIS_URL'];
// Made once a run by `migrated-databases.ts`; elsewhere, as in a benchmark, the server itself migrates.
const migratedSqlite = process.env['TEST_MIGRATED_SQLITE'];
const migratedPostgresql = process.env['TEST_MIGRATED_POSTGRESQL'];
const discarded = process.env['TEST_DISCARDED'];

function folder(): { readonly path: string; remove(): void } {
  const path = scratchFolder();
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The embedded database in a folder of its own. */
export const onSqlite: TestStoreKind = {
  name: 'SQLite',
  async make(state = 'migrated') {
    const { path, remove } = folder();
    const file = join(path, 'holdfast.db');
    if (state === 'migrated' && migratedSqlite !== undefined) copyFileSync(migratedSqlite, file);
    return {
      env: { DATABASE_URL: `file:${file}` },
      remove: async () => remove(),
    };
  },
};

/** A database of its own on the server that `TEST_DATABASE_URL` names. */
export const onPostgresqlServer: TestStoreKind = {
  name: 'PostgreSQL',
  async make(state = 'migrated') {
    const { path, remove } = folder();
    const name = `holdfast_${randomBytes(6).toString('hex')}`;
    const template = (state === 'migrated' && migratedPostgresql) || 'template1';
    await onPostgresql(`create database ${name} template ${template}`);
    return {
      env: {
        DATABASE_URL: Object.assign(new URL(postgresql ?? ''), { pathname: `/${name}` }).href,
        KEY_ENCRYPTION_KEY_FILE: join(path, 'key-encryption-key'),
      },
      async remove() {
        remove();
        if (discarded === undefined) await onPostgresql(`drop database ${name} with (force)`);
        else writeFileSync(join(discarded, name), '');
      },
    };
  },
};

const withRedis = ({ name, make }: TestStoreKind): TestStoreKind => ({
  name: `${name} and Redis`,
  async make(state) {
    const { env, remove } = await make(state);
    return { env: { ...env, REDIS_URL: redis ?? '' }, remove };
  },
});

/** The embedded database, and replay records on the server that `TEST_REDIS_URL` names. */
export const onSqliteAndRedis: TestStoreKind = withRedis(onSqlite);

/** Every kind of store that this machine has: SQLite always, the others where `TEST_DATABASE_URL` and `TEST_REDIS_URL` are set. */
export const storeKinds: readonly TestStoreKind[] = [
  onSqlite,
  ...(redis === undefined ? [] : [onSqliteAndRedis]),
  ...(postgresql === undefined ? [] : [onPostgresqlServer]),
  ...(postgresql === undefined || redis === undefined ? [] : [withRedis(onPostgresqlServer)]),
];
