import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { type Answer, basic, issuer } from '../support/server.ts';
import {
  assertionForm,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const provider = 'https://op.example.com';
const platform = 'https://platform.example.com';
const audience = 'https://other.example.com';
const places = 3;
let [fixture, published, rs, key, forger]: [
  TokenEndpointFixture,
  HttpsJwks,
  string,
  TestKey,
  TestKey,
] = [] as never;
const open = async (env: object = {}) => {
  [key, forger] = [await testKey(), await testKey()];
  published = await httpsJwks([key.jwk]);
  fixture = await tokenEndpointFixture({
    env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true', ...env },
  });
  const made = await fixture.server.admin('POST', 'resource-servers', {
    audience,
    scopes: ['read'],
    access_token_lifetime: 3600,
  });
  rs = basic(made.body.client_id, made.body.client_secret);
  await fixture.server.admin('POST', 'trusted-issuers', {
    issuer: provider,
    audience: 'app-at-op',
    jwks_uri: `${published.uri}?provider`,
  });
  await fixture.server.admin('POST', 'trusted-issuers', {
    issuer: platform,
    purposes: ['workload'],
    jwks_uri: `${published.uri}?platform`,
  });
  await fixture.server.admin('POST', 'clients', {
    client_id: 'remote',
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read',
    client_assertion_bound_access_tokens: true,
    jwks_uri: published.uri,
  });
  await fixture.server.admin('POST', 'clients', {
    client_id: 'exchanger',
    client_secret: clientSecret,
    scope: 'read',
    grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
  });
};
afterEach(async () => {
  await fixture.server.stop();
  await published.close();
});

const now = () => Math.floor(fixture.server.clock.now / 1000);
const byAssertion = async (signer: TestKey) =>
  fixture.server.post(
    '/token',
    assertionForm(await signer.assertion('remote', { iat: now(), exp: now() + 60 }), {
      resource: audience,
    }),
  );
const platformToken = async (signer: TestKey) =>
  signer.sign(
    { iss: platform, sub: 'worker', aud: issuer, iat: now(), exp: now() + 600, jti: randomJti() },
    {},
  );
const byPlatformToken = async (signer: TestKey) =>
  fixture.server.post('/token', assertionForm(await platformToken(signer), { resource: audience }));
const byGrant = async (signer: TestKey) =>
  fixture.server.post('/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: await platformToken(signer),
  });
const honest = async () =>
  fixture.server.post(
    '/token',
    { grant_type: 'client_credentials', resource: audience },
    { authorization: basic('app', clientSecret), dpop: await fixture.key.proof({ iat: now() }) },
  );

describe('while the key server of one client does not answer, others are served', () => {
  beforeEach(async () => open({ MAX_CONCURRENT_REQUESTS: String(places) }));

  it.each<[string, () => Promise<() => Promise<Answer>>]>([
    ['forged client assertions, RFC 7523 §3', async () => async () => byAssertion(forger)],
    ['forged tokens of a platform, RFC 7523 §2.2', async () => async () => byPlatformToken(forger)],
    ['forged tokens of a platform as grants, §2.1', async () => async () => byGrant(forger)],
    [
      'introspection of tokens bound to its keys, RFC 7662 §2.1',
      async () => {
        const { access_token: token } = (await byAssertion(key)).body as { access_token: string };
        // The copy of the key set has expired.
        fixture.server.clock.now += 700_000;
        return async () => fixture.server.post('/introspect', { token }, { authorization: rs });
      },
    ],
    [
      'forged ID tokens of a provider, RFC 8693 §2.1',
      async () => async () =>
        fixture.server.post(
          '/token',
          {
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            subject_token: await forger.sign(
              { iss: provider, sub: 'a', aud: 'app-at-op', iat: now(), jti: randomJti() },
              {},
            ),
            subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
            resource: audience,
          },
          {
            authorization: basic('exchanger', clientSecret),
            dpop: await fixture.key.proof({ iat: now() }),
          },
        ),
    ],
  ])('%s', async (_, prepare) => {
    const ask = await prepare();
    expect((await honest()).status).toBe(200);
    const gate = Promise.withResolvers<void>();
    published.gate = gate.promise;
    const waiting: Promise<Answer>[] = [];
    for (let asked = 0; asked < 2 * places; asked++) {
      waiting.push(ask());
      expect((await honest()).status).toBe(200);
    }
    gate.resolve();
    const answers = await Promise.all(waiting);
    expect(answers.filter(({ status }) => status === 503)).toEqual([]);
    expect((await honest()).status).toBe(200);
  });
});

describe('more requests than may wait for one key server', () => {
  beforeEach(async () => open());

  it('are refused at once by 503 with Retry-After, while the others still wait', async () => {
    const gate = Promise.withResolvers<void>();
    published.gate = gate.promise;
    const assertions = await Promise.all(
      Array.from({ length: 100 }, async () =>
        forger.assertion('remote', { iat: now(), exp: now() + 60 }),
      ),
    );
    const answers: Answer[] = [];
    const asked = assertions.map(async (assertion) => {
      answers.push(await fixture.server.post('/token', assertionForm(assertion)));
    });
    await expect.poll(() => answers.length, { timeout: 2500, interval: 5 }).toBe(100 - 64);
    for (const { status, headers, body } of answers) {
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(body.error).toBe('temporarily_unavailable');
    }
    gate.resolve();
    await Promise.all(asked);
    expect(answers.slice(36).map(({ status }) => status)).toEqual(Array(64).fill(401));
    expect(published.requests).toEqual(['/jwks']);
  });
});

describe('a platform whose keys cannot be had', () => {
  beforeEach(async () => open());

  it.each([
    ['as client authentication', byPlatformToken],
    ['as grant', byGrant],
  ])(
    '%s: 503 and not 401, with one fetch in 30 seconds, and 401 or 400 once they are there',
    async (_, ask) => {
      published.broken = true;
      const fetched = () => published.requests.filter((url) => url.includes('platform')).length;
      for (let count = 0; count < 5; count++) {
        const { status, headers, body } = await ask(key);
        expect([status, headers.get('retry-after'), body.error]).toEqual([
          503,
          '1',
          'temporarily_unavailable',
        ]);
      }
      expect(fetched()).toBe(1);
      published.broken = false;
      expect((await ask(key)).status).toBe(503);
      fixture.server.clock.now += 31_000;
      // There is no rule.
      expect([400, 401]).toContain((await ask(key)).status);
      expect(fetched()).toBe(2);
      // A copy serves on while they are away again.
      published.broken = true;
      fixture.server.clock.now += 700_000;
      expect([400, 401]).toContain((await ask(key)).status);
    },
  );
  it('more requests than may wait for it are refused at once', async () => {
    const gate = Promise.withResolvers<void>();
    published.gate = gate.promise;
    const answers: Answer[] = [];
    const asked = Array.from({ length: 100 }, async () => {
      answers.push(await byPlatformToken(forger));
    });
    await expect.poll(() => answers.length, { timeout: 2500, interval: 5 }).toBe(100 - 64);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    gate.resolve();
    await Promise.all(asked);
    expect(answers.slice(36).map(({ status }) => status)).toEqual(Array(64).fill(401));
  });
});
