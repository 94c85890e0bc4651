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

let [fixture, published]: [TokenEndpointFixture, HttpsJwks] = [] as never;
let [one, two, third]: [TestKey, TestKey, TestKey] = [] as never;
let clients = 0;
beforeAll(async () => {
  published = await httpsJwks([]);
  fixture = await tokenEndpointFixture({ env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  [one, two, third] = [await testKey(), await testKey(), await testKey()];
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

const named = ({ jwk }: TestKey, kid: string, more: object = {}) => ({ ...jwk, kid, ...more });
const reason = () => String(fixture.server.logs.findLast((line) => 'reason' in line)?.['reason']);

/** A client whose keys are behind a URI of its own; it signs an assertion with this key and `kid`. */
async function client(keys: readonly object[], text?: string) {
  published.keys.current = keys;
  if (text === undefined) delete published.text;
  else published.text = text;
  const client_id = `client-${++clients}`;
  const { status } = await fixture.server.admin('POST', 'clients', {
    client_id,
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read',
    client_assertion_bound_access_tokens: true,
    jwks_uri: `${published.uri}?${client_id}`,
  });
  expect(status).toBe(201);
  return async (key: TestKey, kid?: string, form: Record<string, string> = {}) => {
    const header = kid === undefined ? {} : { kid };
    const answer = await fixture.server.post(
      '/token',
      assertionForm(await key.assertion(client_id, {}, header), form),
    );
    return answer.status === 200 ? '200' : `${answer.status} ${reason()}`;
  };
}

describe('a jwks_uri under which two keys have one kid: it names neither', () => {
  const twice = () => [named(one, 'd'), named(two, 'd'), named(third, 'own')];

  it('no assertion is verified by that kid; the others, and those without kid, are', async () => {
    const ask = await client(twice());
    expect([await ask(one, 'd'), await ask(two, 'd')]).toEqual([
      '401 assertion_key_unknown',
      '401 assertion_key_unknown',
    ]);
    expect([await ask(third, 'own'), await ask(one), await ask(two)]).toEqual([
      '200',
      '200',
      '200',
    ]);
  });
  it('req_cnf names no key by it', async () => {
    const ask = await client(twice());
    expect(await ask(one, undefined, { req_cnf: '{"kid":"d"}' })).toBe('400 req_cnf_kid_unknown');
    expect(await ask(third, undefined, { req_cnf: '{"kid":"own"}' })).toBe('200');
    const jkt = JSON.stringify({ jkt: one.jkt });
    expect(await ask(one, undefined, { req_cnf: jkt })).toBe('200');
  });
  it('a key that is listed twice is still one key', async () => {
    const ask = await client([named(one, 'd'), named(one, 'd', { alg: 'ES256' })]);
    expect(await ask(one, 'd', { req_cnf: '{"kid":"d"}' })).toBe('200');
  });
  it('keys of two types may share one (RFC 7517 §4.5): the algorithm tells them apart', async () => {
    const edwards = await testKey('EdDSA');
    const ask = await client([named(one, 'd'), named(edwards, 'd')]);
    expect([await ask(one, 'd'), await ask(edwards, 'd')]).toEqual(['200', '200']);
  });
  it('a key that signs nothing here does not count', async () => {
    const unknown = { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA', kid: 'd' };
    const ask = await client([named(one, 'd'), unknown, named(two, 'd', { use: 'enc' })]);
    expect(await ask(one, 'd', { req_cnf: '{"kid":"d"}' })).toBe('200');
  });

  it('of a trusted issuer: the same', async () => {
    const provider = 'https://op.example.com';
    delete published.text;
    published.keys.current = twice();
    await fixture.server.admin('POST', 'trusted-issuers', {
      issuer: provider,
      audience: 'app-at-op',
      jwks_uri: `${published.uri}?provider`,
    });
    const exchange = async (key: TestKey, kid?: string) => {
      const now = Math.floor(fixture.server.clock.now / 1000);
      const { status } = await fixture.server.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: craft(
            { alg: 'ES256', ...(kid !== undefined && { kid }) },
            {
              iss: provider,
              sub: 'a',
              aud: 'app-at-op',
              iat: now,
              exp: now + 99,
              jti: randomJti(),
            },
            key,
          ),
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        },
        { authorization: basic('exchanger', 's'.repeat(32)), dpop: await fixture.key.proof() },
      );
      return status === 200 ? '200' : `${status} ${reason()}`;
    };
    expect([await exchange(one, 'd'), await exchange(two, 'd')]).toEqual([
      '400 id_token_signature_invalid',
      '400 id_token_signature_invalid',
    ]);
    expect([await exchange(third, 'own'), await exchange(one)]).toEqual(['200', '200']);
  });
  it('of a trusted issuer, by value: refused at registration, as for clients', async () => {
    const post = async (issuer: string, keys: readonly object[]) => {
      const { status, body } = await fixture.server.admin('POST', 'trusted-issuers', {
        issuer,
        audience: 'app-at-op',
        jwks: { keys },
      });
      return [status, body.member, body.detail];
    };
    expect(await post('https://a.example.com', twice())).toEqual([
      400,
      'jwks',
      'two keys have the same kid',
    ]);
    const enc = named(two, 'd', { use: 'enc' });
    expect((await post('https://b.example.com', [named(one, 'd'), enc]))[0]).toBe(201);
  });
});

describe('a JWK Set document with a repeated member is no JWK Set', () => {
  it.each<[string, () => string]>([
    ['keys', () => `{"keys":[],"keys":[${JSON.stringify(named(one, 'd'))}]}`],
    ['an escaped keys', () => `{"k\\u0065ys":[],"keys":[${JSON.stringify(named(one, 'd'))}]}`],
    [
      'a member of a key',
      () => `{"keys":[{"kid":"x",${JSON.stringify(named(one, 'd')).slice(1)}]}`,
    ],
    ['an unknown member', () => `{"a":1,"a":1,"keys":[${JSON.stringify(named(one, 'd'))}]}`],
  ])('%s', async (_, text) => {
    const ask = await client([], text());
    expect(await ask(one, 'd')).toBe('401 assertion_keys_unavailable');
  });
  it('the same without the repetition is taken', async () => {
    const ask = await client([], `{"a":1,"keys":[${JSON.stringify(named(one, 'd'))}]}`);
    expect(await ask(one, 'd')).toBe('200');
  });
});
