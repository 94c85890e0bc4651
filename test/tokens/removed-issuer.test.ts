import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { anyRsaKey, randomJti, type TestKey } from '../support/keys.ts';
import { openReplicas, type Replicas } from '../support/replicas.ts';
import { basic, startOfTime, type TestServer } from '../support/server.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds } from '../support/stores.ts';
import { clientSecret, type TokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const provider = 'https://op.example.com';
const listed = 'https://listed.example.com';
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
let [op, jwks]: [TestKey, HttpsJwks] = [] as never;
beforeAll(async () => {
  op = await anyRsaKey('RS256');
  jwks = await httpsJwks([{ ...op.jwk, kid: 'op-1', use: 'sig' }]);
});
afterAll(async () => jwks.close());

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a trusted issuer is removed, on $name',
  (kind) => {
    let [fixture, replica, close]: [TokenEndpointFixture, TestServer, Replicas['close']] =
      [] as never;
    const clock = { now: startOfTime };
    const rest = { client_secret: clientSecret };
    beforeAll(async () => {
      const env = { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true', STATUS_LIST_MAX_AGE: '120' };
      ({ fixture, replica, close } = await openReplicas(kind, { clock, env }));
      const { admin } = fixture.server;
      await admin('POST', 'resource-servers', {
        audience: listed,
        client_id: 'listed',
        status_list_enabled: true,
        ...rest,
      });
      await admin('POST', 'clients', {
        client_id: 'exchanger',
        grant_types: [exchangeGrant],
        ...rest,
      });
    });
    afterAll(async () => close());

    const trust = async () =>
      (
        await fixture.server.admin('POST', 'trusted-issuers', {
          issuer: provider,
          audience: 'app-at-op',
          jwks_uri: jwks.uri,
        })
      ).body.id as string;
    const exchange = async (subject_token: string, type: string, server = fixture.server) => {
      const iat = clock.now / 1000;
      const answer = await server.post(
        '/token',
        {
          grant_type: exchangeGrant,
          subject_token,
          subject_token_type: `urn:ietf:params:oauth:token-type:${type}`,
          resource: listed,
        },
        {
          authorization: basic('exchanger', clientSecret),
          dpop: await fixture.key.proof({ iat, ath: await hashOf(subject_token) }),
        },
      );
      expect([answer.status, answer.body.error_description]).toEqual([200, undefined]);
      return answer.body.access_token as string;
    };
    const hashOf = async (token: string) =>
      Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
    const ofUser = async (server?: TestServer) => {
      const iat = clock.now / 1000;
      const claims = { iss: provider, sub: 'alice', aud: 'app-at-op', iat, exp: iat + 3600 };
      const idToken = await op.sign({ ...claims, jti: randomJti() }, { typ: 'JWT', kid: 'op-1' });
      return exchange(idToken, 'id_token', server);
    };
    const active = async (token: string) =>
      (
        await replica.post(
          '/introspect',
          { token },
          { authorization: basic('listed', clientSecret) },
        )
      ).body.active as boolean;
    const states = async (...tokens: readonly string[]) =>
      Promise.all(
        tokens.map(async (token) => `${await active(token)} ${await stateAt(replica, token)}`),
      );

    it('what came of its ID tokens is inactive at once, through any number of exchanges, and on status lists; trusting it again brings nothing back', async () => {
      const id = await trust();
      const token = await ofUser();
      const derived = await exchange(token, 'access_token');
      const issued = `audit-events?jti=${decodeJwt(token).jti}`;
      const { body } = await fixture.server.admin('GET', issued);
      expect(body.items).toMatchObject([{ type: 'token_issued', grant_authority: id }]);
      expect(await states(token, derived)).toEqual(['true valid', 'true valid']);
      await fixture.server.admin('DELETE', `trusted-issuers/${id}`);
      clock.now += 6000;
      expect(await states(token, derived)).toEqual(['false invalid', 'false invalid']);
      await trust();
      const later = await ofUser();
      clock.now += 6000;
      expect(await states(token, derived, later)).toEqual([
        'false invalid',
        'false invalid',
        'true valid',
      ]);
    });
  },
);
