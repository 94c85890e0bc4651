import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { databaseKinds } from '../../src/store/schema.ts';
import { pendingMigration } from '../../src/store/write-migration.ts';
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
      ] as unknown as readonly { findMany(): Promise<unknown[]> }[];
      const rows = await Promise.all(models.map(async (model) => model.findMany()));
      await database.$disconnect();
      await store.remove();
      expect(rows.flat()).toEqual([]);
    },
  );
});
