import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic, type TestServer, testServer } from '../support/server.ts';
import { executeScript } from '../support/sql.ts';
import { pathOf, referenceOf, stateAt } from '../support/status-list.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const secret = 's'.repeat(32);

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a row that this server would not write, on $name',
  (kind) => {
    let store: TestStore;
    let server: TestServer;
    let sound: string;
    const sql = async (script: string) => {
      await executeScript(store, script);
      // The protocol's copies may be a second old; a change by the admin forgets them.
      await server.admin('PATCH', 'clients/other', {});
      await server.admin('DELETE', 'resource-servers/nowhere');
    };
    const ask = async (client: string) =>
      server.post(
        '/token',
        { grant_type: 'client_credentials' },
        { authorization: basic(client, secret), dpop: await (await testKey()).proof() },
      );
    beforeAll(async () => {
      store = await kind.make();
      server = await testServer({ store });
      await server.admin('POST', 'resource-servers', {
        audience: 'https://rs.example.com',
        client_id: 'rs',
        client_secret: secret,
      });
      for (const client_id of ['app', 'other'])
        await server.admin('POST', 'clients', { client_id, client_secret: secret });
      sound = (await ask('app')).body.access_token;
    });
    afterAll(async () => {
      await server.stop();
      await store.remove();
    });

    const metadata = {
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      dpop_bound_access_tokens: false,
      dpop_nonce_required: false,
      client_assertion_bound_access_tokens: false,
      disabled: false,
    };
    it.each([
      ['metadata that is no JSON', 'metadata', '{'],
      ['metadata that is null', 'metadata', 'null'],
      [
        'no method',
        'metadata',
        JSON.stringify({ ...metadata, token_endpoint_auth_method: undefined }),
      ],
      ['disabled as text', 'metadata', JSON.stringify({ ...metadata, disabled: 'false' })],
      [
        'resources as text',
        'metadata',
        JSON.stringify({ ...metadata, resources: 'https://rs.example.com' }),
      ],
      [
        'a grant of no known type',
        'metadata',
        JSON.stringify({ ...metadata, grant_types: ['password'] }),
      ],
      ['secrets that are an object', 'secrets', '{}'],
      ['a secret without a hash', 'secrets', '[{"id":"x","created_at":1}]'],
    ])(
      '%s: nothing is issued, the log names the row, and the others go on',
      async (_, column, value) => {
        await sql(`update client set ${column} = '${value}' where client_id = 'app'`);
        const [refused, served, shown, listed] = [
          await ask('app'),
          await ask('other'),
          await server.admin('GET', 'clients/app'),
          await server.admin('GET', 'clients'),
        ];
        expect([
          refused.status,
          refused.body.error,
          served.status,
          shown.status,
          listed.status,
        ]).toEqual([500, 'server_error', 200, 500, 500]);
        expect(JSON.stringify([refused.body, shown.body])).not.toMatch(/app|hash/);
        expect(JSON.stringify(server.logs)).toContain('the row app of client is damaged');
      },
    );
    it('a token of such a client confirms nothing, and one of another client still does', async () => {
      await sql(`update client set metadata = '{}' where client_id = 'app'`);
      const introspect = async (token: string) =>
        server.post('/introspect', { token }, { authorization: basic('rs', secret) });
      const [damaged, other] = await Promise.all([
        introspect(sound),
        introspect((await ask('other')).body.access_token),
      ]);
      expect([damaged?.status, other?.body.active]).toEqual([500, true]);
    });
    it('can be deleted and registered again', async () => {
      expect((await server.admin('DELETE', 'clients/app')).status).toBe(204);
      expect(
        (await server.admin('POST', 'clients', { client_id: 'app', client_secret: secret })).status,
      ).toBe(201);
      expect((await ask('app')).status).toBe(200);
    });
    it('a member of a newer version is no damage', async () => {
      await sql(
        `update client set metadata = '${JSON.stringify({ ...metadata, of_a_newer_version: 1 })}' where client_id = 'app'`,
      );
      expect((await ask('app')).status).toBe(200);
    });
    it('a damaged resource server issues nothing', async () => {
      await sql(`update resource_server set metadata = '{"audience":"https://rs.example.com"}'`);
      const refused = await ask('other');
      expect([refused.status, refused.body.error]).toEqual([500, 'server_error']);
    });
    it('a damaged client keeps no other client or resource server from being registered', async () => {
      await sql(`update client set metadata = '{' where client_id = 'app'`);
      const registered = await server.admin('POST', 'resource-servers', {
        audience: 'https://registered.example.com',
      });
      expect([registered.status, registered.body.clients_without_token.more]).toEqual([201, false]);
    });
    it('a damaged resource server keeps no status list of another from being published', async () => {
      const listed = (name: string) => ({
        audience: `https://${name}.example.com`,
        status_list_enabled: true,
      });
      const token = async (name: string) =>
        (
          await server.post(
            '/token',
            { grant_type: 'client_credentials', resource: listed(name).audience },
            { authorization: basic('other', secret), dpop: await (await testKey()).proof() },
          )
        ).body.access_token as string;
      for (const name of ['one', 'two'])
        await server.admin('POST', 'resource-servers', listed(name));
      const [one, two] = [await token('one'), await token('two')];
      await sql(
        `update resource_server set metadata = '{' where audience = '${listed('one').audience}'`,
      );
      expect((await server.get(pathOf(referenceOf(one)))).status).toBe(500);
      expect(await stateAt(server, two)).toBe('valid');
      expect((await server.admin('GET', 'clients/other')).status).toBe(200);
    });
    it('a signing key of an unknown algorithm is not published, and the others sign and rotate', async () => {
      const kids = async () =>
        ((await server.get('/jwks')).body.keys as { kid: string }[]).map(({ kid }) => kid);
      const [sound] = await kids();
      await server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });
      const [successor] = (await kids()).filter((kid) => kid !== sound);
      await sql(`update signing_key set alg = 'ES257' where kid = '${successor}'`);
      await expect.poll(kids, { timeout: 10_000 }).toEqual([sound]);
      expect(JSON.stringify(server.logs)).toContain(`the row ${successor} of signing_key`);
      await server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });
      expect((await kids()).length).toBe(2);
    });
    it('limits of a pairing that are a list do not read as no limits', async () => {
      await sql(`insert into pairing (id, requester, holder, mode, first_party, metadata, version, created_at, updated_at)
      values ('p', 'app', 'other', 'proof', ${kind.name.includes('SQLite') ? 1 : true}, '[]', 1, 1, 1)`);
      expect((await server.admin('GET', 'pairings')).status).toBe(500);
    });
  },
);
