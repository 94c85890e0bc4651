import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { anyRsaKey, randomJti, type TestKey, testKey } from '../support/keys.ts';
import {
  aware,
  keysOf,
  openPair,
  type Pair,
  pairSecret,
  seconds,
  unaware,
} from '../support/pair.ts';
import { basic } from '../support/server.ts';

const provider = 'https://op.example.com';
const trusted = () => ({ issuer: provider, audience: 'app-at-op', jwks_uri: jwks.uri });
let [pair, op, jwks, pairing]: [Pair, TestKey, HttpsJwks, string] = [] as never;
beforeAll(async () => {
  op = await anyRsaKey('RS256');
  jwks = await httpsJwks([{ ...op.jwk, kid: 'op-1', use: 'sig' }]);
  pair = await openPair({ env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  await pair.server.admin('POST', 'trusted-issuers', trusted());
  ({ id: pairing } = (await pair.server.admin('GET', 'pairings?holder=backend')).body.items[0]);
});
afterAll(async () => {
  await pair.server.stop();
  await jwks.close();
});
const idToken = (claims: object = {}, header: object = {}, key = op) =>
  key.sign(
    {
      iss: provider,
      sub: 'alice',
      aud: 'app-at-op',
      iat: seconds,
      exp: seconds + 3600,
      jti: randomJti(),
      ...claims,
    },
    { typ: 'JWT', kid: 'op-1', ...header },
  );
const exchange = async (
  subject_token: string,
  form: object = {},
  client = 'app',
  key = pair.appKey,
) =>
  pair.server.post(
    '/token',
    {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      resource: aware,
      ...form,
    },
    { authorization: basic(client, pairSecret), dpop: await key.proof() },
  );

describe('RFC 8693 §2.1: an ID token of a trusted provider', () => {
  it("becomes an access token for the user, bound to the app's key", async () => {
    const { body } = await exchange(await idToken());
    expect(body).toMatchObject({
      token_type: 'DPoP',
      cnf: { jkt: pair.appKey.jkt },
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(decodeJwt(body.access_token)).toMatchObject({
      sub: 'alice',
      client_id: 'app',
      aud: aware,
      cnf: { jkt: pair.appKey.jkt },
    });
  });
  it("and to its server's key too, but only where the pairing is first-party: nobody showed the holder to the user", async () => {
    const both = async () =>
      exchange(await idToken(), {
        req_alt_cnf: JSON.stringify([{ proof: await pair.cnfProof() }]),
      });
    expect(keysOf(await both())).toBe('400 unauthorized_client');
    const singleToken = async () =>
      (await exchange(await idToken(), { resource: unaware })).body.access_token as string;
    const single = await singleToken();
    expect(keysOf(await pair.backendExchanges(single))).toBe('400 invalid_grant');
    await pair.server.admin('DELETE', `pairings/${pairing}`);
    await pair.server.admin('POST', 'pairings', {
      requester: 'app',
      holder: 'backend',
      mode: 'proof',
      first_party: true,
    });
    expect(keysOf(await both())).toEqual({
      cnf: { jkt: pair.appKey.jkt },
      alt_cnf: [{ client_id: 'backend', cnf: { jkt: pair.backendKey.jkt } }],
    });
    expect(keysOf(await pair.backendExchanges(single))).toBe('400 invalid_grant');
    const { body } = await pair.backendExchanges(await singleToken());
    expect(decodeJwt(body.access_token)).toMatchObject({
      sub: 'alice',
      client_id: 'backend',
      act: { client_id: 'backend' },
    });
  });
  it('one that is bound itself needs the proof of its key', async () => {
    const bound = await idToken({ cnf: { jwk: pair.appKey.jwk } }, { typ: 'dpop+id_token' });
    expect(keysOf(await exchange(bound, {}, 'app', pair.thiefKey))).toBe('400 invalid_grant');
    expect((await exchange(bound)).status).toBe(200);
    expect(keysOf(await exchange(await idToken({ cnf: { jwk: 'x' } })))).toBe(
      '400 invalid_request',
    );
  });
  it.each<[string, object, object?]>([
    ['of a provider that nobody registered', { iss: 'https://evil.example' }],
    ['for another audience', { aud: 'another-app' }],
    ['for several audiences without azp', { aud: ['app-at-op', 'another-app'] }],
    [
      'for several audiences, of which another one is not trusted',
      { aud: ['app-at-op', 'another-app'], azp: 'app-at-op' },
    ],
    ['for an audience that is no string', { aud: ['app-at-op', 1], azp: 'app-at-op' }],
    ['for another authorized party', { azp: 'another-app' }],
    ['older than ID_TOKEN_MAX_AGE', { iat: seconds - 300 }],
    ['with a jti that is no name', { jti: 7 }],
    ['with an empty jti', { jti: '' }],
    ['expired', { exp: seconds }],
    ['without exp', { exp: undefined }],
    ['without iat', { iat: undefined }],
    ['from the future', { iat: seconds + 31 }],
    ['without sub', { sub: undefined }],
    ['whose user is named like a client', { sub: 'backend' }],
    ['with the type of an access token', {}, { typ: 'at+jwt' }],
    [
      'that is a logout token without a type',
      { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
      { typ: undefined },
    ],
    ['with a kid that the provider has not', {}, { kid: 'op-2' }],
    ['with crit', {}, { crit: ['x'], x: 1 }],
  ])('refuses one %s', async (_, claims, header) => {
    const token =
      header?.['crit' as never] === undefined
        ? await idToken(claims, header)
        : `${btoa('{"alg":"RS256","crit":["x"]}').replaceAll('=', '')}.e30.AA`;
    expect(keysOf(await exchange(token))).toBe('400 invalid_request');
  });
  it('refuses one signed by another key, and unsigned ones', async () => {
    expect(keysOf(await exchange(await idToken({}, {}, await testKey('RS256'))))).toBe(
      '400 invalid_request',
    );
    const [, payload] = (await idToken()).split('.');
    expect(
      keysOf(await exchange(`${btoa('{"alg":"none"}').replaceAll('=', '')}.${payload}.`)),
    ).toBe('400 invalid_request');
  });
  it.each<[string, object]>([
    ['Keycloak: x5t', { x5t: 'aXkxdGVzdGluZ3g1dHRodW1icHJp' }],
    [
      'Microsoft Entra: x5t, issuer, cloud_instance_name',
      { x5t: 'abc', issuer: provider, cloud_instance_name: 'example.com' },
    ],
    ['x5u', { x5u: 'https://op.example.com/certificate' }],
  ])(
    'RFC 7517 §4: members of its key that mean nothing here are ignored, as published by %s',
    async (name, members) => {
      const kid = `op-${name}`;
      jwks.keys.current = [{ ...op.jwk, kid, use: 'sig', ...members }];
      // A server that has no copy of the set yet.
      const other = await openPair({ env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
      await other.server.admin('POST', 'trusted-issuers', trusted());
      const answer = await other.server.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: await idToken({}, { kid }),
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
          resource: aware,
        },
        { authorization: basic('app', pairSecret), dpop: await other.appKey.proof() },
      );
      expect(keysOf(answer)).toEqual({ cnf: { jkt: other.appKey.jkt } });
      await other.server.stop();
      jwks.keys.current = [{ ...op.jwk, kid: 'op-1', use: 'sig' }];
    },
  );
  it('the key set rotates without a restart', async () => {
    const next = await testKey('ES256');
    jwks.keys.current = [{ ...next.jwk, kid: 'op-next' }];
    pair.server.clock.now += 61_000;
    const key = { ...pair.appKey, proof: () => pair.appKey.proof({ iat: seconds + 61 }) };
    expect(
      (await exchange(await idToken({}, { kid: 'op-next' }, next), {}, 'app', key)).status,
    ).toBe(200);
    pair.server.clock.now -= 61_000;
    jwks.keys.current = [{ ...op.jwk, kid: 'op-1', use: 'sig' }];
  });
});

describe('/admin/trusted-issuers', () => {
  const create = (body: object) =>
    pair.server.admin('POST', 'trusted-issuers', {
      issuer: 'https://b.example',
      audience: 'x',
      jwks_uri: 'https://b.example/jwks',
      ...body,
    });
  it('limits who may exchange, prefixes the subject, and removal counts at the next call', async () => {
    const { body } = await create({ jwks_uri: jwks.uri, clients: ['thief'], subject_prefix: 'b:' });
    const token = await idToken({ iss: 'https://b.example', aud: 'x' });
    pair.server.clock.now += 122_000;
    const proof = { ...pair.thiefKey, proof: () => pair.thiefKey.proof({ iat: seconds + 122 }) };
    expect(keysOf(await exchange(token, {}, 'app', proof))).toBe('400 unauthorized_client');
    const issued = await exchange(token, {}, 'thief', proof);
    expect(decodeJwt(issued.body.access_token)).toMatchObject({
      sub: 'b:alice',
      client_id: 'thief',
    });
    const listed = (await pair.server.admin('GET', 'trusted-issuers')).body.items;
    expect(listed).toEqual(
      expect.arrayContaining([
        { id: expect.any(String), purposes: ['id_token'], ...trusted() },
        body,
      ]),
    );
    expect((await pair.server.admin('GET', `trusted-issuers/${body.id}`)).body).toEqual(body);
    expect((await pair.server.admin('DELETE', `trusted-issuers/${body.id}`)).status).toBe(204);
    expect(keysOf(await exchange(token, {}, 'thief', proof))).toBe('400 invalid_request');
    expect((await pair.server.admin('DELETE', `trusted-issuers/${body.id}`)).status).toBe(404);
    pair.server.clock.now -= 122_000;
  });
  it.each<[string, object, number]>([
    ['an issuer that is trusted already', { issuer: provider }, 409],
    ['an http jwks_uri', { jwks_uri: 'http://b.example/jwks' }, 400],
    ['an issuer with a query', { issuer: 'https://b.example?x' }, 400],
    ['no audience', { audience: undefined }, 400],
    ['an unknown member', { secret: 'x' }, 400],
    ['two places for keys', { jwks: { keys: [{}] } }, 400],
    [
      'keys of which none is of use',
      { jwks_uri: undefined, jwks: { keys: [{ kty: 'oct' }] } },
      400,
    ],
    [
      'a private key',
      {
        jwks_uri: undefined,
        jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] },
      },
      400,
    ],
    [
      'a trust bundle of an OpenID provider',
      { jwks_uri: undefined, trust_bundle_uri: 'https://b.example/b' },
      400,
    ],
    [
      'a SPIFFE trust domain without a bundle',
      { issuer: 'spiffe://b.example', purposes: ['workload'] },
      400,
    ],
    [
      'users of a SPIFFE trust domain',
      {
        issuer: 'spiffe://b.example',
        jwks_uri: undefined,
        trust_bundle_uri: 'https://b.example/b',
      },
      400,
    ],
    ['a file where there is no directory', { ca_file: 'ca.pem' }, 400],
    ['a file outside the directory', { ca_file: '../ca.pem' }, 400],
    ['a certificate that is none', { ca: 'x' }, 400],
    [
      'workloads beside users, whose tokens are for the same audiences',
      { purposes: ['id_token', 'workload'] },
      400,
    ],
    ['a purpose that nobody knows', { purposes: ['admin'] }, 400],
    ['metadata by http', { issuer: 'http://b.example', jwks_uri: undefined }, 400],
    ['an algorithm that nobody knows', { algorithms: ['none'] }, 400],
    ['a life without end', { max_lifetime: 1e9 }, 400],
  ])('refuses %s', async (_, body, status) => expect((await create(body)).status).toBe(status));
});
