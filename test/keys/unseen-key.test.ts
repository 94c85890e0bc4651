import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { ath, exchangeForm } from '../support/pair.ts';
import { replicaThatDoesNotLook } from '../support/replica-that-does-not-look.ts';
import { basic, issuer, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  audience,
  clientSecret,
  craft,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const rs = basic('rs', clientSecret);
const app = basic('exchanger', clientSecret);

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a token signed by a key that this replica has not seen yet, on $name',
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    let behind: TestServer;
    const clock = { now: startOfTime };
    beforeAll(async () => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store, clock });
      const listed = await fixture.server.admin('GET', 'resource-servers');
      await fixture.server.admin('DELETE', `resource-servers/${listed.body.items[0].id}`);
      await fixture.server.admin('POST', 'resource-servers', {
        audience,
        scopes: ['read'],
        client_id: 'rs',
        client_secret: clientSecret,
      });
      await fixture.server.admin('POST', 'clients', {
        client_id: 'exchanger',
        client_secret: clientSecret,
        scope: 'read',
        grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      });
      behind = await replicaThatDoesNotLook(async () => testServer({ store, clock }));
    });
    afterAll(async () => {
      await behind.stop();
      await fixture.server.stop();
      await store.remove();
    });

    /** Signed by a key that came into being just now. */
    const tokenOfNewKey = async () => {
      clock.now += 10;
      const { kid } = (
        await fixture.server.admin('POST', 'signing-keys/rotate', {
          alg: 'ES256',
          immediately: true,
        })
      ).body as { kid: string };
      const { body } = await fixture.server.post(
        '/token',
        { grant_type: 'client_credentials' },
        { authorization: app, dpop: await fixture.key.proof({ iat: seconds }) },
      );
      const token = body.access_token as string;
      expect(decodeProtectedHeader(token).kid).toBe(kid);
      return token;
    };
    const active = async (token: string, server: TestServer) =>
      (await server.post('/introspect', { token }, { authorization: rs })).body.active;

    it('RFC 7662 §2.2: is active', async () => {
      expect(await active(await tokenOfNewKey(), behind)).toBe(true);
    });

    it('RFC 7009 §2.2: is revoked when the answer says so', async () => {
      const token = await tokenOfNewKey();
      expect((await behind.post('/revoke', { token }, { authorization: app })).status).toBe(200);
      expect([await active(token, behind), await active(token, fixture.server)]).toEqual([
        false,
        false,
      ]);
    });

    it('RFC 8693 §2.1: is a subject token', async () => {
      const token = await tokenOfNewKey();
      const dpop = await fixture.key.proof({ iat: seconds, ath: ath(token) });
      expect(
        (await behind.post('/token', exchangeForm(token), { authorization: app, dpop })).status,
      ).toBe(200);
    });

    it('a key that nobody has: inactive', async () => {
      const stranger = await testKey();
      const forged = Array.from({ length: 20 }, (_, index) =>
        craft(
          { alg: 'ES256', kid: `made-up-${index}`, typ: 'at+jwt' },
          { iss: issuer, aud: audience, exp: seconds + 60, jti: 'x' },
          stranger,
        ),
      );
      expect(await Promise.all(forged.map(async (token) => active(token, behind)))).toEqual(
        forged.map(() => false),
      );
    });
  },
);
