import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  compactDecrypt,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  type JWK,
  jwtVerify,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomJti, testKey } from '../support/keys.ts';
import { type Answer, basic, issuer, testServer } from '../support/server.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

interface EncryptionPair {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}
async function encryptionPair(alg: string, crv?: string): Promise<EncryptionPair> {
  const { publicKey, privateKey } = await generateKeyPair(alg, {
    extractable: true,
    ...(crv !== undefined && { crv }),
  });
  return {
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), use: 'enc', kid: `${crv ?? alg}-1` },
  };
}

const rs = 'https://symmetric.example.com';
const grant = { grant_type: 'client_credentials', resource: rs };
let fixture: TokenEndpointFixture;
let recipient: EncryptionPair;
let device: EncryptionPair;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
  recipient = await encryptionPair('ECDH-ES+A256KW', 'P-256');
  device = await encryptionPair('ECDH-ES+A256KW', 'X25519');
  const { status } = await fixture.server.admin('POST', 'resource-servers', {
    audience: rs,
    client_id: 'symmetric-rs',
    client_secret: clientSecret,
    cnf_methods_supported: ['jwe', 'jkt'],
    symmetric_keys_enabled: true,
    alt_cnf_supported: true,
    jwks: { keys: [recipient.jwk] },
  });
  if (status !== 201) throw new Error('the resource server was not registered');
  await fixture.server.admin('POST', 'clients', {
    client_id: 'device',
    client_secret: clientSecret,
    jwks: { keys: [device.jwk] },
  });
});
afterAll(async () => fixture.server.stop());

const ask = async (
  form: Readonly<Record<string, string>> = {},
  client = 'app',
  dpop?: string,
): Promise<Answer> =>
  fixture.server.post(
    '/token',
    { ...grant, ...form },
    { authorization: basic(client, clientSecret), dpop: dpop ?? (await fixture.key.proof()) },
  );
const opened = async (jwe: string, { privateKey }: EncryptionPair) => {
  const { plaintext } = await compactDecrypt(jwe, privateKey);
  return JSON.parse(new TextDecoder().decode(plaintext)) as {
    kty: string;
    alg: string;
    kid: string;
    k: string;
  };
};
const jweOf = (token: string) => (decodeJwt(token)['cnf'] as { jwe: string }).jwe;

describe('RFC 7800 §3.3: a symmetric key made by the server', () => {
  it('the resource server decrypts it, the client proves it by a MAC, and a second resource server cannot read it', async () => {
    const { status, body } = await ask();
    expect([status, body.token_type]).toEqual([200, 'PoP']);
    expect(body.cnf.jwk).toEqual({
      kty: 'oct',
      alg: 'HS256',
      kid: expect.any(String),
      k: expect.stringMatching(/^[\w-]{43}$/),
    });
    const mac = (k: string, challenge: string) =>
      createHmac('sha256', Buffer.from(k, 'base64url')).update(challenge).digest();
    const challenge = randomJti();
    const response = mac(body.cnf.jwk.k, challenge);
    // The resource server, with nothing but the issuer's documents and its private key.
    const { jwks_uri } = (await fixture.server.get('/.well-known/oauth-authorization-server'))
      .body as { jwks_uri: string };
    const keys = createRemoteJWKSet(new URL(jwks_uri.replace(issuer, fixture.server.url)));
    const { payload } = await jwtVerify(body.access_token, keys, {
      issuer,
      audience: rs,
      typ: 'at+jwt',
      currentDate: new Date(fixture.server.clock.now),
    });
    expect(Object.keys(payload['cnf'] as object)).toEqual(['jwe']);
    const { jwe } = payload['cnf'] as { jwe: string };
    const { epk: _, ...header } = decodeProtectedHeader(jwe);
    expect(header).toEqual({
      alg: 'ECDH-ES+A256KW',
      enc: 'A256GCM',
      cty: 'jwk+json',
      kid: 'P-256-1',
    });
    expect(timingSafeEqual(mac((await opened(jwe, recipient)).k, challenge), response)).toBe(true);
    await expect(opened(jwe, await encryptionPair('ECDH-ES+A256KW', 'P-256'))).rejects.toThrow(
      'decryption operation failed',
    );
  });
  it('every token has a key of its own', async () => {
    const [one, other] = [await ask(), await ask()];
    expect(one.body.cnf.jwk.k).not.toBe(other.body.cnf.jwk.k);
    expect(one.body.cnf.jwk.kid).not.toBe(other.body.cnf.jwk.kid);
  });
  it('a client with an encryption key gets it encrypted, and nothing in the clear', async () => {
    const { body } = await ask({}, 'device');
    expect(Object.keys(body.cnf)).toEqual(['jwe']);
    const mine = await opened(body.cnf.jwe, device);
    expect(mine).toEqual(await opened(jweOf(body.access_token), recipient));
    expect(JSON.stringify(body)).not.toContain(mine.k);
    expect((await fixture.server.get('/clients/device/jwks')).status).toBe(404);
  });
  it.each([
    ['ECDH-ES+A256KW', 'X25519'],
    ['RSA-OAEP-256', undefined],
  ])('a resource server with a key for %s %s', async (alg, crv) => {
    const pair = await encryptionPair(alg, crv);
    const audience = `https://${alg}.example.com`.replace('+', '-');
    const members = {
      audience,
      cnf_methods_supported: ['jwe'],
      symmetric_keys_enabled: true,
      jwks: { keys: [pair.jwk] },
    };
    expect((await fixture.server.admin('POST', 'resource-servers', members)).status).toBe(201);
    const { body } = await ask({ resource: audience });
    expect([
      decodeProtectedHeader(jweOf(body.access_token)).alg,
      await opened(jweOf(body.access_token), pair),
    ]).toEqual([alg, body.cnf.jwk]);
    // The only method there is does not name the key that req_cnf asks for.
    const asked = await ask({
      resource: audience,
      req_cnf: JSON.stringify({ jkt: fixture.key.jkt }),
    });
    expect([asked.status, asked.body.error]).toEqual([400, 'unsupported_pop_key']);
  });
  it('no key without a proof, and none twice for one proof', async () => {
    const unproven = await fixture.server.post('/token', grant, {
      authorization: basic('app', clientSecret),
    });
    expect([unproven.status, unproven.body.error]).toEqual([400, 'invalid_request']);
    const dpop = await fixture.key.proof();
    expect([(await ask({}, 'app', dpop)).status, (await ask({}, 'app', dpop)).body.error]).toEqual([
      200,
      'invalid_dpop_proof',
    ]);
  });
  it('a symmetric key of the client is refused (RFC 9201 §3.1)', async () => {
    const { status, body } = await ask({
      req_cnf: JSON.stringify({ jwk: { kty: 'oct', k: randomJti() } }),
    });
    expect([status, body.error]).toEqual([400, 'invalid_request']);
  });
  it('req_cnf asks for the proven key, so the next method that names it is used', async () => {
    const { body } = await ask({ req_cnf: JSON.stringify({ jkt: fixture.key.jkt }) });
    expect([body.token_type, decodeJwt(body.access_token)['cnf']]).toEqual([
      'DPoP',
      { jkt: fixture.key.jkt },
    ]);
  });
  it('nothing of the key in the log, the audit trail, the registrations, or the introspection by another', async () => {
    const { body } = await ask();
    const introspect = async (id: string) =>
      fixture.server.post(
        '/introspect',
        { token: body.access_token },
        { authorization: basic(id, clientSecret) },
      );
    const mine = await introspect('symmetric-rs');
    expect([mine.body.token_type, mine.body.cnf]).toEqual([
      'PoP',
      { jwe: jweOf(body.access_token) },
    ]);
    await fixture.server.admin('POST', 'resource-servers', {
      audience: 'https://other.example.com',
      client_id: 'other',
      client_secret: clientSecret,
    });
    expect((await introspect('other')).body).toEqual({ active: false });
    const [events, clients] = [
      await fixture.server.admin('GET', 'audit-events?limit=200'),
      await fixture.server.admin('GET', 'clients'),
    ];
    const seen = JSON.stringify([fixture.server.logs, events.body, clients.body, mine.body]);
    expect(seen).toContain(decodeJwt(body.access_token).jti);
    expect(seen).not.toContain(body.cnf.jwk.k);
  });
  it('never with alt_cnf: the holders agreed to share a token with the proven key', async () => {
    const { server, key } = fixture;
    const sharer = {
      client_id: 'sharer',
      client_secret: clientSecret,
      alt_cnf_holders: ['signer'],
    };
    await server.admin('POST', 'clients', sharer);
    await server.admin('POST', 'pairings', {
      requester: 'sharer',
      holder: 'signer',
      mode: 'proof',
    });
    const other = await testKey();
    const now = server.clock.now / 1000;
    const proof = await key.sign(
      {
        iss: 'signer',
        aud: issuer,
        client_id: 'sharer',
        cnf: { jkt: other.jkt },
        iat: now,
        exp: now + 60,
        jti: randomJti(),
      },
      { typ: 'cnf-proof+jwt', kid: 'registered' },
    );
    const { status, body } = await ask(
      { req_alt_cnf: JSON.stringify([{ proof }]) },
      'sharer',
      await other.proof(),
    );
    expect([status, decodeJwt(body.access_token)['cnf']]).toEqual([200, { jkt: other.jkt }]);
    expect(JSON.stringify(body.alt_cnf)).not.toContain('jwe');
  });
});

describe('RFC 7800 §4: no symmetric key in the clear', () => {
  const tried = 'https://tried.example.com';
  const members = { cnf_methods_supported: ['jwe'], symmetric_keys_enabled: true };
  const jweAnswer = { jwe: expect.stringMatching(/^[\w-]+(\.[\w-]*){4}$/) };
  const jwkAnswer = { jwk: expect.objectContaining({ kty: 'oct' }) };
  const refused =
    'a symmetric key is sent over https only, or to an encryption key that the client registered';

  it.each<[string, Record<string, string>, string, object, 'plain' | 'device', unknown]>([
    ['https, client without a key', {}, 'https://as.example.com', {}, 'plain', jwkAnswer],
    [
      'plain HTTP, client without a key',
      { ALLOW_HTTP_ISSUER: 'true' },
      'http://as.example.com',
      {},
      'plain',
      refused,
    ],
    [
      'plain HTTP on loopback, client without a key',
      {},
      'http://localhost:8080',
      {},
      'plain',
      refused,
    ],
    [
      'plain HTTP, client with a key',
      { ALLOW_HTTP_ISSUER: 'true' },
      'http://as.example.com',
      {},
      'device',
      jweAnswer,
    ],
    [
      'plain HTTP, another method left',
      { ALLOW_HTTP_ISSUER: 'true' },
      'http://as.example.com',
      { cnf_methods_supported: ['jwe', 'jkt'] },
      'plain',
      'jkt',
    ],
  ])('%s', async (_, env, ISSUER, more, client, expected) => {
    const server = await testServer({ env: { ...env, ISSUER } });
    try {
      await server.admin('POST', 'resource-servers', {
        audience: tried,
        ...members,
        jwks: { keys: [recipient.jwk] },
        ...more,
      });
      await server.admin('POST', 'clients', { client_id: 'plain', client_secret: clientSecret });
      await server.admin('POST', 'clients', {
        client_id: 'device',
        client_secret: clientSecret,
        jwks: { keys: [device.jwk] },
      });
      const dpop = await fixture.key.proof({ htu: `${ISSUER}/token` });
      const form = { grant_type: 'client_credentials', resource: tried };
      const { body } = await server.post('/token', form, {
        authorization: basic(client, clientSecret),
        dpop,
      });
      const told =
        body.error_description ??
        body.cnf ??
        Object.keys(decodeJwt(body.access_token)['cnf'] as object)[0];
      expect(told).toEqual(expected);
      expect(JSON.stringify(body).includes('"k":')).toBe(expected === jwkAnswer);
    } finally {
      await server.stop();
    }
  });
  it('a client that could be given its key in no other way is refused at registration, and shown as without one', async () => {
    const server = await testServer({
      env: { ALLOW_HTTP_ISSUER: 'true', ISSUER: 'http://as.example.com' },
    });
    try {
      const before = await server.admin('POST', 'clients', {
        client_id: 'before',
        client_secret: clientSecret,
        resources: [tried],
      });
      const made = await server.admin('POST', 'resource-servers', {
        audience: tried,
        ...members,
        jwks: { keys: [recipient.jwk] },
      });
      expect([before.status, made.status, made.body.clients_without_token]).toEqual([
        201,
        201,
        { client_ids: ['before'], more: false },
      ]);
      const register = (more: object) =>
        server.admin('POST', 'clients', {
          client_secret: clientSecret,
          resources: [tried],
          ...more,
        });
      const { status, body } = await register({});
      expect([status, body.member, body.detail]).toEqual([
        400,
        'jwks',
        'a symmetric key leaves this server over https only, or encrypted: make the issuer https, or register a key with use enc',
      ]);
      expect((await register({ jwks: { keys: [device.jwk] } })).status).toBe(201);
      expect((await register({ jwks_uri: 'https://client.example.com/jwks' })).status).toBe(201);
    } finally {
      await server.stop();
    }
  });
});

describe('registration', () => {
  const base = {
    audience: 'https://new.example.com',
    cnf_methods_supported: ['jwe'],
    symmetric_keys_enabled: true,
  };
  it.each<[string, (key: JWK) => object, string]>([
    [
      'jwe without the opt-in',
      (key) => ({ jwks: { keys: [key] }, symmetric_keys_enabled: false }),
      'symmetric_keys_enabled',
    ],
    ['jwe without a key', () => ({}), 'jwks'],
    [
      'jwe among others without the opt-in',
      () => ({ cnf_methods_supported: ['jkt', 'jwe'], symmetric_keys_enabled: false }),
      'symmetric_keys_enabled',
    ],
    ['a key without use', ({ use: _, ...key }) => ({ jwks: { keys: [key] } }), 'jwks.keys[0].use'],
    [
      'a key for signatures',
      (key) => ({ jwks: { keys: [{ ...key, use: 'sig' }] } }),
      'jwks.keys[0].use',
    ],
    ['a private key', (key) => ({ jwks: { keys: [{ ...key, d: key.x }] } }), 'jwks.keys[0].d'],
    [
      'a symmetric key',
      () => ({ jwks: { keys: [{ kty: 'oct', use: 'enc', k: randomJti() }] } }),
      'jwks.keys[0].k',
    ],
    [
      'alg of a signature',
      (key) => ({ jwks: { keys: [{ ...key, alg: 'ES256' }] } }),
      'jwks.keys[0].alg',
    ],
    [
      'alg of another type',
      (key) => ({ jwks: { keys: [{ ...key, alg: 'RSA-OAEP-256' }] } }),
      'jwks.keys[0].alg',
    ],
    [
      'key_ops of a signature',
      (key) => ({ jwks: { keys: [{ ...key, key_ops: ['verify'] }] } }),
      'jwks.keys[0].key_ops',
    ],
    [
      'a point off the curve',
      (key) => ({ jwks: { keys: [{ ...key, y: key.x }] } }),
      'jwks.keys[0]',
    ],
    ['a short coordinate', (key) => ({ jwks: { keys: [{ ...key, y: 'AA' }] } }), 'jwks.keys[0].y'],
    [
      'another curve',
      (key) => ({ jwks: { keys: [{ ...key, crv: 'P-521' }] } }),
      'jwks.keys[0].crv',
    ],
    [
      'a signature curve',
      (key) => ({ jwks: { keys: [{ ...key, kty: 'OKP', crv: 'Ed25519' }] } }),
      'jwks.keys[0].crv',
    ],
    [
      'an X25519 point of small order',
      () => ({ jwks: { keys: [{ kty: 'OKP', crv: 'X25519', use: 'enc', x: 'A'.repeat(43) }] } }),
      'jwks.keys[0].x',
    ],
    [
      'a short RSA key',
      () => ({ jwks: { keys: [{ kty: 'RSA', use: 'enc', e: 'AQAB', n: 'zzzz' }] } }),
      'jwks.keys[0].n',
    ],
    [
      'RSA with exponent 1',
      () => ({ jwks: { keys: [{ kty: 'RSA', use: 'enc', e: 'AQ', n: 'zzzz' }] } }),
      'jwks.keys[0].e',
    ],
    [
      'an unknown member',
      (key) => ({ jwks: { keys: [{ ...key, extra: 1 }] } }),
      'jwks.keys[0].extra',
    ],
    ['two keys of one kid', (key) => ({ jwks: { keys: [key, key] } }), 'jwks.keys[1].kid'],
    ['no key', () => ({ jwks: { keys: [] } }), 'jwks.keys'],
  ])('of a resource server with %s is refused', async (_, members, member) => {
    const { status, body } = await fixture.server.admin('POST', 'resource-servers', {
      ...base,
      ...members(recipient.jwk),
    });
    expect([status, body.member]).toEqual([400, member]);
  });
  it('a client with an unusable encryption key is refused', async () => {
    const { status, body } = await fixture.server.admin('POST', 'clients', {
      jwks: { keys: [{ ...device.jwk, alg: 'dir' }] },
    });
    expect([status, body.member]).toEqual([400, 'jwks.keys[0].alg']);
  });
  it('an encryption key verifies nothing', async () => {
    const members = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [device.jwk] } };
    const { status, body } = await fixture.server.admin('POST', 'clients', members);
    expect([status, body.member]).toEqual([400, 'jwks']);
  });
});
