import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { describe, expect, it } from 'vitest';
import { pendingMigration } from '../../scripts/write-migration.ts';
import { openDatabase } from '../../src/store/connection/database.ts';
import { databaseKinds, migrationsFolder } from '../../src/store/migrations/schema.ts';
import { migrationNames } from '../../src/store/migrations/schema-engine.ts';
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
    '$name: registrations get an identity, and what refers to a name refers to it; a damaged row is no obstacle',
    async (kind) => {
      const store = await kind.make('empty');
      const url = store.env['DATABASE_URL'] ?? '';
      const connection = await (url.startsWith('file:')
        ? new PrismaLibSql({ url })
        : new PrismaPg({ connectionString: url })
      ).connect();
      const dialect = url.startsWith('file:') ? 'sqlite' : 'postgresql';
      const names = migrationNames(dialect);
      const at = names.findIndex((name) => name.endsWith('_registration_identity'));
      const apply = async (name: string) =>
        connection.executeScript(
          readFileSync(join(migrationsFolder(dialect), name, 'migration.sql'), 'utf8'),
        );
      for (const name of names.slice(0, at)) await apply(name);
      const client = (id: string, metadata: string) =>
        `insert into client (client_id, metadata, version, created_at, updated_at) values ('${id}', '${metadata}', 1, 0, 0);`;
      await connection.executeScript(
        `${client('app', '{"alt_cnf_holders":["backend","later"]}')}
        ${client('backend', '{"alt_cnf_requesters":["app"]}')}
        ${client('damaged', '{"alt_cnf_holders":["app"')}
        ${client('surrogate', '{"alt_cnf_holders":["app"],"client_name":"\\ud800"}')}
        insert into trusted_issuer (id, issuer, metadata, version, created_at, updated_at) values ('t', 'https://op.example.com', '{"clients":["app"]}', 1, 0, 0);
        insert into pairing (id, requester, holder, mode, first_party, version, created_at, updated_at) values ('p', 'app', 'backend', 'proof', false, 1, 0, 0);
        insert into pairing (id, requester, holder, mode, first_party, version, created_at, updated_at) values ('q', 'gone', 'backend', 'proof', false, 1, 0, 0);
        insert into credential_use (client_id, kind, identifier, used_at) values ('backend', 'key', 'x', 0);`,
      );
      await apply(names[at] ?? '');
      const rows = async (sql: string) =>
        (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
      const identities = new Map(
        (await rows('select client_id, registration_id from client_identity')) as [
          string,
          string,
        ][],
      );
      const id = (name: string) => identities.get(name);
      expect(new Set(identities.values()).size).toBe(5);
      const clients = await rows(
        'select client_id, registration_id, listed_clients from client order by client_id',
      );
      const listed = (text: unknown) => new Map(JSON.parse(String(text)) as [string, string][]);
      expect(clients.map(([name, registration]) => registration === id(String(name)))).toEqual([
        true,
        true,
        true,
        true,
      ]);
      expect([listed(clients[0]?.[2]), listed(clients[1]?.[2]), clients[2]?.[2]]).toEqual([
        new Map([
          ['backend', id('backend')],
          ['later', id('later')],
        ]),
        new Map([['app', id('app')]]),
        null,
      ]);
      const [[trusted] = []] = await rows('select listed_clients from trusted_issuer');
      expect(listed(trusted)).toEqual(new Map([['app', id('app')]]));
      expect(await rows('select id, consent, requester_id, holder_id from pairing')).toEqual([
        ['p', 'p', id('app'), id('backend')],
      ]);
      expect(await rows('select client_id from credential_use')).toEqual([[id('backend')]]);
      // Whoever writes, a version that knows nothing of identities included.
      await connection.executeScript(client('later', '{}'));
      expect(await rows("select registration_id from client where client_id = 'later'")).toEqual([
        [id('later')],
      ]);
      await connection.executeScript("delete from client where client_id = 'backend'");
      expect([
        await rows('select id from pairing'),
        await rows("select * from client_identity where client_id = 'backend'"),
      ]).toEqual([[], []]);
      await connection.dispose();
      await store.remove();
    },
  );
});
