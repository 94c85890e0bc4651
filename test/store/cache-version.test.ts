import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../src/store/connection/database.ts';
import { inTransaction } from '../../src/store/connection/transaction.ts';
import { onPostgresqlServer, onSqlite, storeKinds, type TestStore } from '../support/stores.ts';

const client = (id: string) => ({
  clientId: id,
  metadata: '{}',
  version: 1,
  createdAt: 0,
  updatedAt: 0,
});
const resourceServer = (id: string) => ({
  id,
  audience: id,
  metadata: '{}',
  version: 1,
  createdAt: 0,
  updatedAt: 0,
});

/** By whatever means, for an operator and an older version of this server write too. */
const changes: readonly (readonly [string, (database: Database) => Promise<unknown>])[] = [
  ['a client is registered', async (database) => database.client.create({ data: client('app') })],
  [
    'a client is changed',
    async (database) => database.$executeRaw`update client set version = 2 where client_id = 'app'`,
  ],
  [
    'many are registered at once',
    async (database) =>
      database.client.createMany({
        data: Array.from({ length: 50 }, (_, n) => client(`app-${n}`)),
      }),
  ],
  [
    'a client is removed',
    async (database) => database.client.delete({ where: { clientId: 'app' } }),
  ],
  [
    'a resource server is registered',
    async (database) => database.resourceServer.create({ data: resourceServer('rs') }),
  ],
  [
    'a resource server is changed',
    async (database) =>
      database.$executeRaw`update resource_server set version = 2 where id = 'rs'`,
  ],
  [
    'a resource server is removed',
    async (database) => database.resourceServer.delete({ where: { id: 'rs' } }),
  ],
];

describe.each([onSqlite, onPostgresqlServer].filter((kind) => storeKinds.includes(kind)))(
  'the state of the registries on $name',
  ({ name, make }) => {
    let store: TestStore;
    let database: Database;
    const seen = new Set<string>();
    const url = () => store.env['DATABASE_URL'] ?? '';
    const state = async () =>
      (await database.cacheVersion.findUniqueOrThrow({ where: { id: 1 } })).value;
    beforeAll(async () => {
      store = await make();
      database = await openDatabase(url(), () => undefined);
      seen.add(await state());
    });
    afterAll(async () => {
      await database.$disconnect();
      await store.remove();
    });

    it.each(changes)('is one that never was when %s', async (_what, change) => {
      await change(database);
      const value = await state();
      expect(seen).not.toContain(value);
      seen.add(value);
    });

    it('stays when nothing was changed', async () => {
      const before = await state();
      const steps = [
        {
          sql: "insert into client (client_id, metadata, version, created_at, updated_at) values ($1, '{}', 1, 0, 0)",
          values: ['undone'],
        },
        { sql: 'delete from client where client_id = $1', values: ['nobody'] },
      ];
      expect(await inTransaction(url(), database, steps)).toBe(false);
      expect(await state()).toBe(before);
    });

    // SQLite has one writer at a time.
    it.skipIf(name === 'SQLite')(
      'of a change that is still under way is seen by nobody, and keeps nobody from changing something else',
      async () => {
        const before = await state();
        await database.$transaction(async (transaction) => {
          await transaction.$executeRaw`insert into client (client_id, metadata, version, created_at, updated_at) values ('slow', '{}', 1, 0, 0)`;
          expect(await state()).toBe(before);
          await database.client.create({ data: client('quick') });
          expect(await state()).not.toBe(before);
          seen.add(await state());
        });
        expect(seen).not.toContain(await state());
      },
    );
  },
);
