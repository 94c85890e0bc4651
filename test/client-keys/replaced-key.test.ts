import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { basic } from '../support/server.ts';
import {
  assertionForm,
  craft,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const provider = 'https://op.example.com';
let [fixture, published, rs]: [TokenEndpointFixture, HttpsJwks, string] = [] as never;
beforeAll(async () => {
  published = await httpsJwks([]);
  fixture = await tokenEndpointFixture({ env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  const made = await fixture.server.admin('POST', 'resource-servers', {
    audience: 'https://other.example.com',
    scopes: ['read'],
    access_token_lifetime: 86_400,
  });
  rs = basic(made.body.client_id, made.body.client_secret);
  await fixture.server.admin('POST', 'trusted-issuers', {
    issuer: provider,
    audience: 'app-at-op',
    jwks_uri: published.uri,
  });
  await fixture.server.admin('POST', 'clients', {
    client_id: 'exchanger',
    client_secret: 's'.repeat(32),
    scope: 'read',
    grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
  });
});
afterAll(async () => {
  await fixture.server.stop();
  await published.close();
});

const now = () => Math.floor(fixture.server.clock.now / 1000);
/** A client whose keys are behind the URI, under a path of its own, so that it has a cool-down of its own. */
async function client(client_id: string) {
  await fixture.server.admin('POST', 'clients', {
    client_id,
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read',
    client_assertion_bound_access_tokens: true,
    jwks_uri: `${published.uri}?${client_id}`,
  });
  return async (key: TestKey, kid?: string) =>
    fixture.server.post(
      '/token',
      assertionForm(
        await key.assertion(
          client_id,
          { iat: now(), exp: now() + 60 },
          { ...(kid !== undefined && { kid }) },
        ),
        { resource: 'https://other.example.com' },
      ),
    );
}
/** Requests for this URI; the server's own rounds ask for others. */
const requestsOf = (target: string) => published.requests.filter((one) => one === target).length;
const active = async (token: string) =>
  (await fixture.server.post('/introspect', { token }, { authorization: rs })).body
    .active as boolean;

describe.each([
  ['under the same kid', 'one'],
  ['without any kid', undefined],
])('RFC 7517 §4.5: a key behind a jwks_uri that was replaced %s', (name, kid) => {
  const listed = ({ jwk }: TestKey) => ({ ...jwk, ...(kid !== undefined && { kid }) });

  it('its client authenticates at once, and the old key no more', async () => {
    const [old, replaced] = [await testKey(), await testKey()];
    published.keys.current = [listed(old)];
    const ask = await client(`client-${name.length}`);
    const { access_token: token } = (await ask(old, kid)).body as { access_token: string };
    published.keys.current = [listed(replaced)];
    fixture.server.clock.now += 61_000;
    expect((await ask(replaced, kid)).status).toBe(200);
    expect([(await ask(old, kid)).status, await active(token)]).toEqual([401, false]);
  });

  it('sixty forged assertions at a time: one fetch a cool-down, and no token of the key in force ends', async () => {
    const [honest, forger] = [await testKey(), await testKey()];
    published.keys.current = [listed(honest)];
    const ask = await client(`forged-${name.length}`);
    const { access_token: token } = (await ask(honest, kid)).body as { access_token: string };
    // What a server that is not well shows for a moment.
    published.keys.current = [];
    for (const cooled of [0, 1, 1]) {
      fixture.server.clock.now += cooled * 60_000;
      const before = requestsOf(`/jwks?forged-${name.length}`);
      for (let tries = 0; tries < 30; tries++) {
        const answers = await Promise.all([ask(forger, kid), ask(forger, 'another')]);
        expect(answers.map(({ status }) => status)).toEqual([401, 401]);
      }
      expect(requestsOf(`/jwks?forged-${name.length}`) - before).toBe(cooled);
      expect(await active(token)).toBe(true);
    }
    expect((await ask(honest, kid)).status).toBe(200);
    const { body } = await fixture.server.admin('GET', 'audit-events?type=key_tokens_revoked');
    expect(body.items.filter((event: { jkt: string }) => event.jkt === honest.jkt)).toEqual([]);
  });

  it('an ID token of its provider is taken at once, RFC 8693 §2.1', async () => {
    const [old, replaced, forger] = [await testKey(), await testKey(), await testKey()];
    const exchange = async (key: TestKey) => {
      const subject_token = craft(
        { alg: 'ES256', ...(kid !== undefined && { kid }) },
        {
          iss: provider,
          sub: 'alice',
          aud: 'app-at-op',
          iat: now(),
          exp: now() + 300,
          jti: randomJti(),
        },
        key,
      );
      const form = {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        resource: 'https://other.example.com',
      };
      const { status } = await fixture.server.post('/token', form, {
        authorization: basic('exchanger', 's'.repeat(32)),
        dpop: await fixture.key.proof({ iat: now() }),
      });
      return status;
    };
    published.keys.current = [listed(old)];
    fixture.server.clock.now += 24 * 3_600_000;
    expect(await exchange(old)).toBe(200);
    published.keys.current = [listed(replaced)];
    fixture.server.clock.now += 61_000;
    const before = requestsOf('/jwks');
    expect([await exchange(replaced), await exchange(forger), await exchange(old)]).toEqual([
      200, 400, 400,
    ]);
    expect(requestsOf('/jwks') - before).toBe(1);
  });
});
