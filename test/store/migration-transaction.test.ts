import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/connection/database.ts';
import { MigrationError } from '../../src/store/migrations/migrate.ts';
import { migrateToFirstRelease } from '../support/first-release.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

// A replica that starts on the database of an older release, while replicas of that one serve.

const kinds = storeKinds.filter(({ name }) => !name.includes('Redis'));

describe.each(kinds)('the migrations of a release, on $name', (kind) => {
  let store: TestStore;
  beforeEach(async () => {
    store = await kind.make('empty');
    await migrateToFirstRelease(store);
  });
  afterEach(async () => store.remove());
  const open = async () => openDatabase(store.env['DATABASE_URL'] ?? '', () => undefined);
  const applied = async () =>
    (await execute(store, 'select migration_name from _prisma_migrations')).length;

  it('are applied all or not at all: after a refusal nothing of them is there, and the next start goes on', async () => {
    await execute(store, 'create table authorization_server (id text)');
    await expect(open()).rejects.toThrow(MigrationError);
    await expect(open()).rejects.toThrow(/nothing was changed/);
    expect(await applied()).toBe(1);
    await expect(execute(store, 'select managed_by from client')).rejects.toThrow(
      /managed_by|ColumnNotFound/,
    );
    await execute(store, 'drop table authorization_server');
    await (await open()).$disconnect();
    expect(await applied()).toBeGreaterThan(4);
    await execute(store, 'select managed_by from client');
  });

  it('wait for a replica that is in the middle of a transaction, and keep nobody who reads waiting', async () => {
    const url = store.env['DATABASE_URL'] ?? '';
    const other = await (url.startsWith('file:')
      ? new PrismaLibSql({ url })
      : new PrismaPg({ connectionString: url })
    ).connect();
    const transaction = await other.startTransaction();
    const run = async (sql: string) => transaction.executeRaw({ sql, args: [], argTypes: [] });
    await run("update cache_version set value = '1'");
    await run("insert into client_identity (client_id, registration_id) values ('a', 'b')");
    if (!url.startsWith('file:')) await run('lock table client, assertion_key in share mode');
    let opened = false;
    const opening = open().finally(() => {
      opened = true;
    });
    const waits =
      "select 1 from pg_locks join pg_database on oid = database where datname = current_database() and not granted and locktype = 'relation'";
    const isWaiting = async () =>
      url.startsWith('file:') || (await execute(store, waits)).length > 0;
    await expect.poll(isWaiting, { interval: 20, timeout: 60_000 }).toBe(true);
    // Long enough for several attempts, during which others look at what it changes.
    for (let look = 0; look < 20; look++) {
      await execute(store, 'select client_id from client');
      await sleep(50);
    }
    expect(opened).toBe(false);
    if (!transaction.options.usePhantomQuery) await run('COMMIT');
    await transaction.commit();
    await other.dispose();
    await (await opening).$disconnect();
    expect(await execute(store, 'select client_id from client_identity')).toEqual([['a']]);
    await execute(store, 'select managed_by from client');
  });
});
