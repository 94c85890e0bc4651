import { describe, expect, it } from 'vitest';
import { pendingMigration } from '../../scripts/write-migration.ts';
import { openDatabase } from '../../src/store/connection/database.ts';
import { databaseKinds } from '../../src/store/migrations/schema.ts';
import { execute } from '../support/sql.ts';
import { storeKinds } from '../support/stores.ts';

describe('schema and migrations', () => {
  it.each(databaseKinds)(
    '%s: no migration is missing (npm run migration -- NAME writes it)',
    async (kind) => {
      expect(await pendingMigration(kind)).toBe('');
    },
  );

  it.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
    '$name: the migrations make every table and column that the client asks for',
    async (kind) => {
      const store = await kind.make('empty');
      const database = await openDatabase(store.env['DATABASE_URL'] ?? '', () => undefined);
      const models = [
        database.client,
        database.clientIdentity,
        database.resourceServer,
        database.replayRecord,
        database.signingKey,
        database.sharedSecret,
        database.credentialUse,
        database.revokedToken,
        database.statusList,
        database.auditEvent,
        database.pairing,
        database.withdrawnHolder,
        database.trustedIssuer,
        database.writeCheck,
      ] as unknown as readonly { findMany(): Promise<unknown[]> }[];
      const rows = await Promise.all(models.map(async (model) => model.findMany()));
      await database.$disconnect();
      await store.remove();
      expect(rows.flat()).toEqual([]);
    },
  );

  it.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
    '$name: every registration gets an identity, whoever writes it, and takes it and its pairings along when it goes',
    async (kind) => {
      const store = await kind.make();
      await (await openDatabase(store.env['DATABASE_URL'] ?? '', () => undefined)).$disconnect();
      const rows = (sql: string) => execute(store, sql);
      const add = (id: string) =>
        rows(
          `insert into client (client_id, metadata, version, created_at, updated_at) values ('${id}', '{', 1, 0, 0)`,
        );
      await rows(
        "insert into client_identity (client_id, registration_id) values ('later', 'known')",
      );
      for (const id of ['app', 'backend', 'later']) await add(id);
      const identities = await rows(
        'select client_id, registration_id from client_identity order by client_id',
      );
      expect(
        await rows('select client_id, registration_id from client order by client_id'),
      ).toEqual(identities);
      expect(new Set(identities.map(([, id]) => id)).size).toBe(3);
      expect(identities[2]).toEqual(['later', 'known']);
      await rows(
        "insert into pairing (id, requester, holder, mode, first_party, version, created_at, updated_at) values ('p', 'app', 'backend', 'proof', false, 1, 0, 0)",
      );
      await rows("delete from client where client_id = 'backend'");
      expect([
        await rows('select id from pairing'),
        await rows("select * from client_identity where client_id = 'backend'"),
      ]).toEqual([[], []]);
      await store.remove();
    },
  );
});
