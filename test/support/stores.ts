import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { describe } from 'vitest';

/** Environment of a server on stores of its own, and the way to be rid of them. */
export interface TestStore {
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** A kind of store that the suites run on. */
export interface TestStoreKind {
  readonly name: string;
  make(): Promise<TestStore>;
}

const postgresql = process.env['TEST_DATABASE_URL'];
const redis = process.env['TEST_REDIS_URL'];

async function onPostgresql(script: string): Promise<void> {
  const connection = await new PrismaPg({ connectionString: postgresql ?? '' }).connect();
  await connection.executeScript(script);
  await connection.dispose();
}

function folder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The embedded database in a folder of its own. */
export const onSqlite: TestStoreKind = {
  name: 'SQLite',
  async make() {
    const { path, remove } = folder();
    return {
      env: { DATABASE_URL: `file:${join(path, 'holdfast.db')}` },
      remove: async () => remove(),
    };
  },
};

/** A database of its own on the server that `TEST_DATABASE_URL` names. */
export const onPostgresqlServer: TestStoreKind = {
  name: 'PostgreSQL',
  async make() {
    const { path, remove } = folder();
    const name = `holdfast_${randomBytes(6).toString('hex')}`;
    await onPostgresql(`create database ${name}`);
    return {
      env: {
        DATABASE_URL: Object.assign(new URL(postgresql ?? ''), { pathname: `/${name}` }).href,
        KEY_ENCRYPTION_KEY_FILE: join(path, 'key-encryption-key'),
      },
      async remove() {
        remove();
        await onPostgresql(`drop database ${name} with (force)`);
      },
    };
  },
};

const withRedis = ({ name, make }: TestStoreKind): TestStoreKind => ({
  name: `${name} and Redis`,
  async make() {
    const { env, remove } = await make();
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

/** `describe`, skipped where this machine lacks that kind of store: a file must never be without a test. */
export const describeOn = (kind: TestStoreKind) => describe.skipIf(!storeKinds.includes(kind));
