import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { openPair, type Pair, pairSecret, unaware } from '../support/pair.ts';
import { type Answer, basic } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

type Connection = Awaited<ReturnType<PrismaPg['connect']>>;

const refusing = {
  sqlite: [
    "create trigger unwritable before insert on audit_event begin select raise(abort, 'unwritable'); end",
  ],
  postgresql: [
    "create or replace function refuse() returns trigger language plpgsql as $$ begin raise exception 'unwritable'; end $$",
    'create trigger unwritable before insert on audit_event execute function refuse()',
  ],
};
const accepting = {
  sqlite: 'drop trigger unwritable',
  postgresql: 'drop trigger unwritable on audit_event',
};
const tables = [
  'client',
  'resource_server',
  'pairing',
  'trusted_issuer',
  'revoked_token',
  'withdrawn_holder',
  'signing_key',
  'shared_secret',
];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a change and its record are one: $name',
  (kind) => {
    const database = kind.name.startsWith('SQLite') ? ('sqlite' as const) : ('postgresql' as const);
    let store: TestStore;
    let pair: Pair;
    let session: Connection;
    beforeAll(async () => {
      store = await kind.make();
      const url = store.env['DATABASE_URL'] ?? '';
      pair = await openPair({ store, env: { CLEANUP_INTERVAL: '3600' } });
      session = (await (database === 'sqlite'
        ? new PrismaLibSql({ url })
        : new PrismaPg({ connectionString: url })
      ).connect()) as Connection;
    });
    afterAll(async () => {
      await session.dispose();
      await pair.server.stop();
      await store.remove();
    });
    const query = async (sql: string) =>
      (await session.queryRaw({ sql, args: [], argTypes: [] })).rows;
    const everything = async () =>
      Object.fromEntries(
        await Promise.all(
          tables.map(async (table) => [table, await query(`select * from ${table}`)]),
        ),
      );
    const recorded = async () =>
      (await query('select type from audit_event order by id')).map(([type]) => String(type));
    const admin = async (method: string, path: string, body?: unknown) =>
      pair.server.admin(method, path, body);
    const made = async (path: string, body: unknown) =>
      (await admin('POST', path, body)).body as Record<string, string>;
    const ofApp = async () =>
      (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined } })).body
        .access_token as string;
    const shared = async () => (await pair.ask()).body.access_token as string;
    const exchanged = async () =>
      (await pair.backendExchanges(await ofApp())).body.access_token as string;
    const resourceServer = async () =>
      made('resource-servers', { audience: `urn:example:${Math.random()}` });
    const issuer = () => ({
      issuer: `https://op.example.com/${Math.random()}`,
      audience: 'x',
      jwks_uri: 'https://op.example.com/jwks',
    });

    // biome-ignore format: a row is a change: its event, the tables that it changes, and how to make it.
    it.each<[string, readonly string[], () => Promise<() => Promise<Answer>>]>([
    ['client_created', ['client'], async () => () => admin('POST', 'clients', { client_id: 'new', client_secret: pairSecret })],
    ['client_changed', ['client'], async () => () => admin('PATCH', 'clients/new', { client_name: 'renamed' })],
    ['client_changed', ['client'], async () => () => admin('PUT', 'clients/new', { client_name: 'replaced' })],
    ['client_deleted', ['client'], async () => () => admin('DELETE', 'clients/new')],
    ['client_secret_created', ['client'], async () => () => admin('POST', 'clients/thief/secrets', {})],
    ['client_secret_changed', ['client'], async () => {
      const { id } = await made('clients/thief/secrets', {});
      return () => admin('PATCH', `clients/thief/secrets/${id}`, { expires_at: 1_900_000_000 });
    }],
    ['client_secret_deleted', ['client'], async () => {
      const { id } = await made('clients/thief/secrets', {});
      return () => admin('DELETE', `clients/thief/secrets/${id}`);
    }],
    ['resource_server_created', ['resource_server'], async () => () => admin('POST', 'resource-servers', { audience: 'urn:example:new' })],
    ['resource_server_changed', ['resource_server'], async () => {
      const { id } = await resourceServer();
      return () => admin('PATCH', `resource-servers/${id}`, { name: 'renamed' });
    }],
    ['resource_server_deleted', ['resource_server'], async () => {
      const { id } = await resourceServer();
      return () => admin('DELETE', `resource-servers/${id}`);
    }],
    ['resource_server_secret_created', ['resource_server'], async () => {
      const { id } = await resourceServer();
      return () => admin('POST', `resource-servers/${id}/secrets`, {});
    }],
    ['resource_server_secret_changed', ['resource_server'], async () => {
      const { id } = await resourceServer();
      const { id: secret } = await made(`resource-servers/${id}/secrets`, {});
      return () => admin('PATCH', `resource-servers/${id}/secrets/${secret}`, { expires_at: 1_900_000_000 });
    }],
    ['resource_server_secret_deleted', ['resource_server'], async () => {
      const { id } = await resourceServer();
      const { id: secret } = await made(`resource-servers/${id}/secrets`, {});
      return () => admin('DELETE', `resource-servers/${id}/secrets/${secret}`);
    }],
    ['trusted_issuer_created', ['trusted_issuer'], async () => {
      const body = issuer();
      return () => admin('POST', 'trusted-issuers', body);
    }],
    ['trusted_issuer_deleted', ['trusted_issuer'], async () => {
      const { id } = await made('trusted-issuers', issuer());
      return () => admin('DELETE', `trusted-issuers/${id}`);
    }],
    ['signing_key_announced', ['signing_key'], async () => () => admin('POST', 'signing-keys/rotate', { alg: 'ES256' })],
    ['dpop_nonce_secret_replaced', ['shared_secret'], async () => () => admin('POST', 'dpop-nonce-secrets/rotate')],
    ['token_revoked', ['revoked_token'], async () => {
      const { jti } = decodeJwt(await ofApp());
      return () => admin('DELETE', `tokens/${jti}`);
    }],
    ['token_revoked', ['revoked_token'], async () => {
      const token = await ofApp();
      return () => pair.server.post('/revoke', { token }, { authorization: basic('app', pairSecret) });
    }],
    ['token_revoked', ['withdrawn_holder'], async () => {
      const token = await shared();
      return async () => {
        const iat = Math.floor(pair.server.clock.now / 1000);
        const client_assertion = await pair.backendKey.assertion('backend', { iat, exp: iat + 60 });
        return pair.server.post('/revoke', { token, client_assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' });
      };
    }],
    ['client_tokens_revoked', ['revoked_token'], async () => {
      await ofApp();
      return () => admin('DELETE', 'clients/app/tokens');
    }],
    ['key_tokens_revoked', ['revoked_token', 'withdrawn_holder'], async () => {
      await shared();
      await exchanged();
      return () => admin('DELETE', `keys/${pair.backendKey.jkt}/tokens`);
    }],
    ['pairing_revoked', ['pairing', 'revoked_token'], async () => {
      await exchanged();
      return () => admin('POST', `pairings/${pair.pairing}/revoke`);
    }],
    ['pairing_created', ['pairing'], async () => () => admin('POST', 'pairings', { requester: 'app', holder: 'backend' })],
    ['client_changed', ['client', 'revoked_token'], async () => {
      await pair.backendSignsIn();
      const { jwk } = await testKey();
      return () => admin('PATCH', 'clients/backend', { jwks: { keys: [jwk] } });
    }],
    ['client_deleted', ['client', 'pairing', 'revoked_token'], async () => {
      await ofApp();
      return () => admin('DELETE', 'clients/app');
    }],
  ])('%s, of %s: 503 and nothing is changed while it cannot be recorded, then both', async (type, changing, prepare) => {
    const change = await prepare();
    const before = await everything();
    const record = await recorded();
    for (const sql of refusing[database]) await session.executeRaw({ sql, args: [], argTypes: [] });
    const refused = await change();
    await session.executeRaw({ sql: accepting[database], args: [], argTypes: [] });
    expect(refused.status).toBe(503);
    expect(await everything()).toEqual(before);
    expect(await recorded()).toEqual(record);
    expect((await change()).status).toBeLessThan(300);
    const after = await everything();
    expect(tables.filter((table) => JSON.stringify(after[table], text) !== JSON.stringify(before[table], text))).toEqual(changing);
    expect(await recorded()).toEqual(expect.arrayContaining([...record, type]));
    expect((await recorded()).filter((each) => each === type)).toHaveLength(record.filter((each) => each === type).length + 1);
  });
  },
);

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
