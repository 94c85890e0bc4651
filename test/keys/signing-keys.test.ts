import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, issuer, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  audience,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const env = { JWKS_MAX_AGE: '60', ACCESS_TOKEN_MAX_LIFETIME: '600' };

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'signing keys on $name, two replicas whose clocks are 30 s apart',
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    let ahead: TestServer;
    const clocks = { fixture: { now: startOfTime }, ahead: { now: startOfTime + 30_000 } };
    const at = (seconds: number) => {
      clocks.fixture.now = startOfTime + seconds * 1000;
      clocks.ahead.now = clocks.fixture.now + 30_000;
    };
    beforeAll(async () => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store, env, clock: clocks.fixture });
      ahead = await testServer({ store, env, clock: clocks.ahead });
      await fixture.server.admin('POST', 'resource-servers', {
        audience: 'https://two.example.com',
        client_id: 'rs',
        client_secret: clientSecret,
      });
    });
    afterAll(async () => {
      await ahead.stop();
      await fixture.server.stop();
      await store.remove();
    });

    /** Every replica looks at the store, as each does once a second. */
    const look = async () =>
      Promise.all(
        [fixture.server, ahead].map(async (server) => server.admin('GET', 'signing-keys')),
      );
    const tokenOf = async (server: TestServer, now: number, resource = audience) => {
      const dpop = await fixture.key.proof({ iat: Math.floor(now / 1000) });
      const { body } = await server.post(
        '/token',
        { grant_type: 'client_credentials', resource },
        { authorization: basic('app', clientSecret), dpop },
      );
      expect(body).toMatchObject({ access_token: expect.any(String) });
      return body.access_token as string;
    };
    const keys = async () =>
      (
        ((await look())[0]?.body.items ?? []) as { kid: string; state: string; alg: string }[]
      ).filter(({ alg }) => alg === 'ES256');

    it('rotation by hand: one of many calls makes the successor, and a resource server with a cached JWK Set never fails', async () => {
      const before = (await keys())[0]?.kid;
      let cache: { readonly at: number; readonly jwks: JSONWebKeySet } | undefined;
      const signedBy = new Set<string>();
      const failures: string[] = [];
      for (let second = 0; second <= 900; second += 15) {
        at(second);
        await look();
        if (second === 30)
          await Promise.all(
            [fixture.server, ahead, fixture.server, ahead].map(async (server) =>
              server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' }),
            ),
          );
        // The verifier fetches from either replica, and not before its copy is as old as it may be.
        if (cache === undefined || second - cache.at >= 60)
          cache = {
            at: second,
            jwks: (await (second % 2 === 0 ? fixture.server : ahead).get('/jwks'))
              .body as JSONWebKeySet,
          };
        for (const [server, { now }] of [
          [fixture.server, clocks.fixture],
          [ahead, clocks.ahead],
        ] as const) {
          const token = await tokenOf(server, now);
          const { jwks } = cache;
          const checked = await jwtVerify(token, createLocalJWKSet(jwks), {
            issuer,
            audience,
            currentDate: new Date(now),
          }).catch((error: unknown) => String(error));
          if (typeof checked === 'string') failures.push(`${second} ${checked}`);
          else signedBy.add(String(checked.protectedHeader.kid));
        }
      }
      expect(failures).toEqual([]);
      expect(signedBy.size).toBe(2);
      const after = await keys();
      expect(after.map(({ state }) => state).sort()).toEqual(['active', 'removed']);
      expect(after.find(({ state }) => state === 'removed')?.kid).toBe(before);
      expect(((await fixture.server.get('/jwks')).body as JSONWebKeySet).keys.length).toBe(1);
    });

    it('a key that a replica ahead has just made signs on one behind, too', async () => {
      const ps256 = 'https://ps256.example.com';
      await ahead.admin('POST', 'resource-servers', {
        audience: ps256,
        access_token_signing_alg: 'PS256',
      });
      expect(await tokenOf(fixture.server, clocks.fixture.now, ps256)).toMatch(/^eyJ/);
    });

    it('by schedule: announced 14 days before its use, after 90 days', async () => {
      const day = 86_400;
      at(75 * day);
      for (
        let tries = 0;
        tries < 40 && (await keys()).every(({ state }) => state !== 'announced');
        tries++
      )
        await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await keys()).map(({ state }) => state)).not.toContain('announced');
      at(77 * day);
      for (
        let tries = 0;
        tries < 40 && (await keys()).every(({ state }) => state !== 'announced');
        tries++
      )
        await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await keys()).filter(({ state }) => state === 'announced').length).toBe(1);
      at(91 * day);
      expect((await keys()).map(({ state }) => state).sort()).toEqual([
        'active',
        'removed',
        'removed',
      ]);
    });

    it('a compromised key: out of the JWK Set, its tokens inactive on the other replica at once, a successor in its place', async () => {
      const now = clocks.fixture.now;
      const token = await tokenOf(fixture.server, now, 'https://two.example.com');
      const introspect = async (server: TestServer, accessToken: string) =>
        (
          await server.post(
            '/introspect',
            { token: accessToken },
            { authorization: basic('rs', clientSecret) },
          )
        ).body as object;
      expect(await introspect(ahead, token)).toMatchObject({ active: true });
      const kid = (await keys()).find(({ state }) => state === 'active')?.kid ?? '';
      expect((await fixture.server.admin('POST', `signing-keys/${kid}/revoke`)).status).toBe(204);
      expect([await introspect(ahead, token), await introspect(fixture.server, token)]).toEqual([
        { active: false },
        { active: false },
      ]);
      expect((await fixture.server.admin('POST', `signing-keys/${kid}/revoke`)).status).toBe(404);
      await look();
      for (const server of [fixture.server, ahead])
        expect(
          ((await server.get('/jwks')).body as JSONWebKeySet).keys.map((key) => key.kid),
        ).not.toContain(kid);
      const next = await tokenOf(ahead, clocks.ahead.now, 'https://two.example.com');
      expect(await introspect(ahead, next)).toMatchObject({ active: true });
      expect(
        (await fixture.server.admin('GET', 'audit-events?type=signing_key_revoked')).body.items[0]
          .detail.kid,
      ).toBe(kid);
    });

    it('rotations by hand that do not wait, among others that do: each is answered by a key that signs', async () => {
      for (let round = 0; round < 5; round++) {
        clocks.fixture.now += 5000;
        clocks.ahead.now += 5000;
        await look();
        const answers = await Promise.all(
          [false, true, false, true].map(async (immediately, index) =>
            (index < 2 ? fixture.server : ahead).admin('POST', 'signing-keys/rotate', {
              alg: 'ES256',
              immediately,
            }),
          ),
        );
        expect(
          answers.map(({ body }) => body.state as string).filter((_, index) => index % 2 === 1),
        ).toEqual(['active', 'active']);
      }
    });

    it('an unknown algorithm, or one without a key', async () => {
      expect(
        (await fixture.server.admin('POST', 'signing-keys/rotate', { alg: 'HS256' })).body.member,
      ).toBe('alg');
      expect(
        (await fixture.server.admin('POST', 'signing-keys/rotate', { alg: 'RS256' })).status,
      ).toBe(404);
    });

    it('shows no private half anywhere', async () => {
      expect(JSON.stringify(await look())).not.toMatch(/"d"|privateJwe|private_jwe/);
    });
  },
);
