import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  assertionForm,
  clientSecret,
  craft,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

// Two that PostgreSQL cannot store: half of a surrogate pair, and U+0000.
const listed = 'https://listed.example.com';
const unstorable = ['\\ud800', '\\u0000'];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'text that a database cannot store, on $name',
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store });
      await fixture.server.admin('POST', 'resource-servers', {
        audience: listed,
        status_list_enabled: true,
      });
    });
    afterAll(async () => {
      await fixture.server.stop();
      await store.remove();
    });

    it.each(
      unstorable.flatMap((text) => [
        ['POST', 'clients', `{"client_id":"x","client_name":"${text}"}`],
        ['POST', 'clients', `{"client_id":"x","${text}":1}`],
        ['POST', 'clients', `{"client_id":"x","jwks":{"keys":[{"kid":"${text}"}]}}`],
        ['PATCH', 'clients/app', `{"client_name":"${text}"}`],
        ['POST', 'resource-servers', `{"audience":"https://x.example","name":"${text}"}`],
      ]),
    )('RFC 8259 §8.2: %s /admin/%s refuses %s', async (method, path, body) => {
      const refused = await fixture.server.admin(method, path, body);
      expect([refused.status, JSON.stringify(refused.body)]).toEqual([
        400,
        expect.stringContaining('a string in the body has a lone surrogate'),
      ]);
    });

    it('RFC 8259 §8.2: a whole surrogate pair is text like any other', async () => {
      const body = '{"client_name":"\\ud83d\\ude00"}';
      const changed = await fixture.server.admin('PATCH', 'clients/app', body);
      expect([changed.status, changed.body.client_name]).toEqual([200, '😀']);
    });

    it.each(
      unstorable.flatMap((text) => [
        ['jti', text],
        ['extra', text],
      ]),
    )('RFC 7523 §3: an assertion whose %s is %s is refused', async (name, text) => {
      const token = await fixture.key.assertion('signer');
      const [, payload = ''] = token.split('.');
      const claims = Buffer.from(payload, 'base64url').toString();
      const changed = claims.replace(/"jti":"[^"]*"/, name === 'jti' ? `"jti":"${text}"` : '$&');
      const crafted = craft(
        { alg: 'ES256', typ: 'JWT' },
        name === 'jti' ? changed : changed.replace(/}$/, `,"${name}":"${text}"}`),
        fixture.key,
      );
      const form = assertionForm(crafted);
      expect(await fixture.outcome({ authorization: null, form })).toBe('401 invalid_client');
    });

    it.each([
      ['surrogate', 'client_id=%ED%A0%80'],
      ['zero character', 'client_id=%00'],
    ])('RFC 6749 Appendix B: a form with a %s is refused', async (_what, pair) => {
      const form = `grant_type=client_credentials&${pair}`;
      expect(await fixture.outcome({ authorization: null, form })).toBe('400 invalid_request');
    });

    it('a path with a zero character is refused', async () => {
      expect((await fixture.server.get('/clients/%00/jwks')).status).toBe(400);
    });

    it.each([
      ['no JSON', '{'],
      ['a lone surrogate', '{"client_name":"\\ud800"}'],
    ])('metadata with %s in one row leave the status lists of all others', async (_what, text) => {
      const issued = await fixture.server.post(
        '/token',
        { grant_type: 'client_credentials', resource: listed },
        { authorization: basic('app', clientSecret), dpop: await fixture.key.proof() },
      );
      await execute(
        store,
        `insert into client (client_id, metadata, version, created_at, updated_at) values ('damaged-${_what.length}', '${text}', 1, 1, 1)`,
      );
      const [, payload = ''] = String(issued.body.access_token).split('.');
      const { status } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
        status: { status_list: { uri: string } };
      };
      const path = new URL(status.status_list.uri).pathname;
      fixture.server.clock.now += 10_000;
      const list = await fixture.server.get(path, { accept: 'application/statuslist+jwt' });
      fixture.server.clock.now -= 10_000;
      expect(list.status).toBe(200);
    });
  },
);
