import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, decodeJwt, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { anyRsaKey, rsa4104, testKey } from '../support/keys.ts';
import { basic } from '../support/server.ts';
import {
  clientSecret,
  outcomeOf,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';
import { rocaModulus } from '../support/weak-rsa.ts';

type Pair = { readonly publicKey: KeyObject; readonly privateKey?: KeyObject };
const ec = (namedCurve: string) => () => generateKeyPairSync('ec', { namedCurve });
const rsa =
  (modulusLength: number, publicExponent = 65537) =>
  () =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent });
const publicOnly = (key: Record<string, unknown>): Pair => ({
  publicKey: createPublicKey({ key, format: 'jwk' }),
});
/** A key on edwards448 that is no more than these octets. */
const ed448 = (hex: string) => (): Pair => ({
  publicKey: createPublicKey({
    key: Buffer.from(`3043300506032b6571033a00${hex}`, 'hex'),
    format: 'der',
    type: 'spki',
  }),
});

let fixture: TokenEndpointFixture;
let ca: TestCertificate;
beforeAll(async () => {
  fixture = await tokenEndpointFixture({
    env: { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: '127.0.0.0/8, ::1/128' },
  });
  for (const method of ['x5t#S256', 'jkt', 'jwk', 'kid', 'jku'])
    await fixture.server.admin('POST', 'resource-servers', {
      audience: audienceOf(method),
      cnf_methods_supported: [method],
      ...(method === 'x5t#S256' && { client_id: 'rs', client_secret: clientSecret }),
    });
  await fixture.server.admin('POST', 'resource-servers', {
    audience: audienceOf('any'),
    cnf_methods_supported: ['jkt', 'jwk', 'x5t#S256'],
  });
  await fixture.server.admin('POST', 'resource-servers', {
    audience: audienceOf('jwk-second'),
    cnf_methods_supported: ['jkt', 'jwk'],
  });
  const bound = { tls_client_certificate_bound_access_tokens: true, alt_cnf_registered_key: true };
  await fixture.server.admin('POST', 'clients', {
    client_id: 'secret',
    client_secret: clientSecret,
    ...bound,
  });
  const pki = {
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
  };
  await fixture.server.admin('POST', 'clients', { client_id: 'pki', ...pki, ...bound });
  await fixture.server.admin('POST', 'clients', { client_id: 'pki-dpop', ...pki });
  ca = await certificate({ subject: 'CN=clients', ca: true });
});
afterAll(async () => fixture.server.stop());

const audienceOf = (method: string) =>
  `https://${method.replace('#', '-').toLowerCase()}.example.com`;
const send = async (
  { pem }: TestCertificate,
  method: string,
  client_id = 'secret',
  more: object = {},
  dpop: string | null = null,
) =>
  fixture.send({
    authorization: client_id === 'secret' ? basic('secret', clientSecret) : null,
    dpop,
    form: {
      grant_type: 'client_credentials',
      resource: audienceOf(method),
      ...(client_id !== 'secret' && { client_id }),
      ...more,
    },
    fields: [
      ['x-ssl-client-cert', encodeURIComponent(pem)],
      ['x-ssl-client-verify', 'SUCCESS'],
    ],
  });
const leaf = async (key: Pair) => certificate({ subject: 'CN=device', issuer: ca, key });

describe('RFC 8705 §3: the certificate is bound, whatever its key', () => {
  describe.each([
    ['P-521', ec('secp521r1')],
    ['secp256k1', ec('secp256k1')],
    ['brainpoolP256r1', ec('brainpoolP256r1')],
    ['brainpoolP384t1', ec('brainpoolP384t1')],
    ['brainpoolP512r1', ec('brainpoolP512r1')],
    ['RSA of 4104 bits', rsa4104],
    ['RSA with another exponent', rsa(2048, 65539)],
    ['RSA for PSS only', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['Ed448', () => generateKeyPairSync('ed448')],
  ] as const)('%s, which the gate for keys in tokens refuses', (_, make) => {
    let one: TestCertificate;
    beforeAll(async () => {
      one = await leaf(make());
    });
    it('x5t#S256', async () => {
      const { status, body } = await send(one, 'x5t#S256');
      const { access_token: token = '', token_type: type } = JSON.parse(body) as {
        access_token?: string;
        token_type?: string;
      };
      expect([status, type, decodeJwt(token)['cnf']]).toEqual([
        200,
        'Bearer',
        { 'x5t#S256': one.x5tS256 },
      ]);
    });
    it('the one method of the list that can name it', async () => {
      expect(outcomeOf(await send(one, 'any'))).toBe('200 x5t#S256');
    });
    it.each(['jkt', 'jwk', 'kid', 'jku'])('%s: unsupported_pop_key', async (method) => {
      expect(outcomeOf(await send(one, method))).toBe('400 unsupported_pop_key');
    });
    it('§2: it authenticates too', async () => {
      expect(outcomeOf(await send(one, 'x5t#S256', 'pki'))).toBe('200 x5t#S256');
    });
    it('req_cnf cannot name it', async () => {
      const { jkt } = await testKey();
      expect(
        outcomeOf(await send(one, 'x5t#S256', 'secret', { req_cnf: JSON.stringify({ jkt }) })),
      ).toBe('400 failed_pop_verification');
      expect(
        outcomeOf(
          await send(one, 'x5t#S256', 'secret', {
            req_cnf: JSON.stringify({ 'x5t#S256': one.x5tS256 }),
          }),
        ),
      ).toBe('400 invalid_request');
    });
    it('the record of the token names the certificate, and the token can be introspected with it', async () => {
      const { body } = await send(one, 'x5t#S256');
      const { access_token: token = '' } = JSON.parse(body) as { access_token?: string };
      const { body: trail } = await fixture.server.admin(
        'GET',
        'audit-events?client_id=secret&limit=200',
      );
      const events = trail.items as { jti?: string }[];
      expect(events.find(({ jti }) => jti === decodeJwt(token).jti)).toMatchObject({
        jkt: one.x5tS256,
        evidence: 'tls_handshake',
      });
      const { body: seen } = await fixture.server.post(
        '/introspect',
        { token, client_certificate: one.pem },
        { authorization: basic('rs', clientSecret) },
      );
      expect(seen).toMatchObject({ active: true, proof: { valid: true, presenter: 'secret' } });
    });
  });

  it.each([
    ['P-256', ec('prime256v1')],
    ['P-384', ec('secp384r1')],
    ['RSA of 2048 bits', rsa(2048)],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['ML-DSA-65', () => generateKeyPairSync('ml-dsa-65')],
  ] as const)(
    '%s, which the gate lets pass, by x5t#S256; by jkt for who asks by req_cnf',
    async (_, make) => {
      const pair = make();
      const one = await leaf(pair);
      const jkt = await calculateJwkThumbprint(pair.publicKey.export({ format: 'jwk' }) as JWK);
      const named = { req_cnf: JSON.stringify({ jkt }) };
      expect(outcomeOf(await send(one, 'x5t#S256'))).toBe('200 x5t#S256');
      expect(outcomeOf(await send(one, 'jkt', 'secret', named))).toBe(`200 ${jkt}`);
    },
  );

  describe('a key that only the handshake proves, and no req_cnf', () => {
    let one: TestCertificate;
    beforeAll(async () => {
      one = await leaf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }));
    });
    it('x5t#S256 wherever it stands in the list', async () => {
      const { body } = await send(one, 'any');
      const { access_token: token, token_type: type } = JSON.parse(body) as Record<string, string>;
      expect([type, decodeJwt(token ?? '')['cnf']]).toEqual([
        'Bearer',
        { 'x5t#S256': one.x5tS256 },
      ]);
    });
    it.each(['jkt', 'kid'])('%s alone: refused, with what to register', async (method) => {
      const { status, body } = await send(one, method);
      expect([status, JSON.parse(body)]).toEqual([
        400,
        {
          error: 'unsupported_pop_key',
          error_description:
            'a certificate-bound token needs x5t#S256 in cnf_methods_supported of the resource server',
        },
      ]);
    });
    it.each(['jwk', 'jwk-second'])('%s: the key itself, never a DPoP token', async (list) => {
      expect(outcomeOf(await send(one, list))).toBe('200 jwk');
    });
  });

  it.each([
    ['RSA of 1024 bits', rsa(1024)],
    ['RSA of 2040 bits', rsa(2040)],
    ['RSA with the exponent 3', rsa(2048, 3)],
    [
      'RSA with the exponent 1',
      async () => publicOnly({ ...(await anyRsaKey('PS256')).jwk, e: 'AQ' }),
    ],
    [
      'RSA with the fingerprint of ROCA',
      () => publicOnly({ kty: 'RSA', n: rocaModulus(), e: 'AQAB' }),
    ],
    ['P-224', ec('secp224r1')],
    ['P-192', ec('prime192v1')],
    ['brainpoolP224r1', ec('brainpoolP224r1')],
    ['DSA', () => generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })],
    ['X25519', () => generateKeyPairSync('x25519')],
    ['X448', () => generateKeyPairSync('x448')],
    [
      'an Ed25519 point of small order',
      () => publicOnly({ kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') }),
    ],
    ['an Ed448 point of order 1', ed448(`01${'00'.repeat(56)}`)],
    ['an Ed448 point of order 2', ed448(`fe${'ff'.repeat(27)}fe${'ff'.repeat(27)}00`)],
    ['an Ed448 point of order 4', ed448('00'.repeat(57))],
    [
      'an Ed448 point of order 1 in another spelling',
      ed448(`00${'00'.repeat(27)}${'ff'.repeat(28)}00`),
    ],
  ] as const)(
    '%s: a handshake by it shows nothing, so it neither binds nor authenticates',
    async (_, make) => {
      const one = await leaf(await make());
      expect(outcomeOf(await send(one, 'x5t#S256'))).toBe('400 unsupported_pop_key');
      expect(outcomeOf(await send(one, 'x5t#S256', 'pki'))).toBe('401 invalid_client');
      expect(outcomeOf(await send(one, 'jkt', 'pki-dpop', {}, await fixture.key.proof()))).toBe(
        '401 invalid_client',
      );
    },
  );

  it('a known curve that is given by its parameters', async () => {
    const named = generateKeyPairSync('ec', {
      namedCurve: 'prime256v1',
      paramEncoding: 'explicit',
    });
    expect(outcomeOf(await send(await leaf(named), 'x5t#S256'))).toBe('200 x5t#S256');
  });
});
