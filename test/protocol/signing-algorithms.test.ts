import { constants, KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signingAlgorithms } from '../../src/jose/algorithms.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { issuer } from '../support/server.ts';
import {
  assertionForm,
  craft,
  es256,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** One key of each kind, by an algorithm that it is for. */
const kinds = [
  'ES256',
  'ES384',
  'PS256',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const;
type Kind = (typeof kinds)[number];
/** The kind of key that an algorithm takes. */
const kindOf = (alg: string) => ({ RS256: 'PS256', EdDSA: 'Ed25519' })[alg] ?? alg;

let fixture: TokenEndpointFixture;
let all: TokenEndpointFixture;
const keys = new Map<string, TestKey>();
beforeAll(async () => {
  const algs = signingAlgorithms.join(',');
  fixture = await tokenEndpointFixture();
  all = await tokenEndpointFixture({
    env: { DPOP_SIGNING_ALGS: algs, CLIENT_ASSERTION_SIGNING_ALGS: algs },
  });
  for (const kind of kinds) keys.set(kind, await testKey(kind));
  for (const { server } of [fixture, all])
    for (const [kind, { jwk }] of keys)
      await server.admin('POST', 'clients', {
        client_id: kind,
        token_endpoint_auth_method: 'private_key_jwt',
        client_assertion_bound_access_tokens: true,
        jwks: { keys: [{ ...jwk, alg: jwk.kty === 'AKP' ? jwk.alg : undefined }] },
      });
});
afterAll(async () => {
  await fixture.server.stop();
  await all.server.stop();
});

const keyOf = (kind: string): TestKey => keys.get(kind) ?? expect.fail(kind);

/** The signature that `alg` makes where this kind of key can make one, else the key's own. */
function signature(kind: Kind, alg: string): (input: Buffer) => Buffer {
  const { privateKey } = keyOf(kind);
  const key = KeyObject.from(privateKey);
  if (kind === 'ES256') return (input) => es256(keyOf(kind), input);
  if (kind === 'ES384') return (input) => sign('sha384', input, { key, dsaEncoding: 'ieee-p1363' });
  if (kind !== 'PS256') return (input) => sign(null, input, key);
  const padding = alg === 'RS256' ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_PSS_PADDING;
  return (input) => sign('sha256', input, { key, padding, saltLength: 32 });
}

const proofBy = (kind: Kind, alg: string, jwk: object = keyOf(kind).jwk, signedAs = alg) =>
  craft(
    { typ: 'dpop+jwt', alg, jwk },
    { jti: randomJti(), htm: 'POST', htu: `${issuer}/token`, iat: seconds },
    signature(kind, signedAs),
  );
const assertionBy = (kind: Kind, alg: string, signedAs = alg) =>
  craft(
    { alg },
    { iss: kind, sub: kind, aud: issuer, jti: randomJti(), iat: seconds, exp: seconds + 60 },
    signature(kind, signedAs),
  );
const byProof = async (at: TokenEndpointFixture, proof: string) => at.outcome({ dpop: proof });
const byAssertion = async (
  at: TokenEndpointFixture,
  assertion: string,
  dpop: string | null = null,
) => at.outcome({ authorization: null, dpop, form: assertionForm(assertion) });

describe.each(signingAlgorithms)('%s', (alg) => {
  const kind = kindOf(alg) as Kind;

  it('RFC 9449 §6.1: a proof by it gives a token with the thumbprint of its key', async () => {
    expect(await byProof(all, proofBy(kind, alg))).toBe(`200 ${keyOf(kind).jkt}`);
  });
  it('RFC 7523 §2.2: an assertion by it authenticates, and its key is bound where there is no proof', async () => {
    expect(await byAssertion(all, assertionBy(kind, alg))).toBe(`200 ${keyOf(kind).jkt}`);
  });
  it('the metadata offers what is taken, and nothing else', async () => {
    const offered = async (at: TokenEndpointFixture) =>
      (await at.server.get('/.well-known/oauth-authorization-server')).body;
    const [few, many] = [await offered(fixture), await offered(all)];
    for (const member of [
      'dpop_signing_alg_values_supported',
      'token_endpoint_auth_signing_alg_values_supported',
    ])
      expect([few[member].includes(alg), many[member].includes(alg)]).toEqual([
        alg !== 'RS256',
        true,
      ]);
  });
  it('by default: all but RS256', async () => {
    const { jkt } = keyOf(kind);
    expect(await byProof(fixture, proofBy(kind, alg))).toBe(
      alg === 'RS256' ? '400 invalid_dpop_proof' : `200 ${jkt}`,
    );
    expect(await byAssertion(fixture, assertionBy(kind, alg))).toBe(
      alg === 'RS256' ? '401 invalid_client' : `200 ${jkt}`,
    );
  });
  it.each(kinds.filter((other) => other !== kind))(
    'with the key for %s: refused',
    async (other) => {
      expect(await byProof(all, proofBy(other, alg))).toBe('400 invalid_dpop_proof');
      expect(await byAssertion(all, assertionBy(other, alg))).toBe('401 invalid_client');
    },
  );
});

describe('an algorithm that the key is for, and a signature or key that says otherwise', () => {
  it.each([
    ['RS256 over a PS256 signature', 'RS256', 'PS256'],
    ['PS256 over an RS256 signature', 'PS256', 'RS256'],
  ])('%s', async (_, alg, signedAs) => {
    expect(await byProof(all, proofBy('PS256', alg, undefined, signedAs))).toBe(
      '400 invalid_dpop_proof',
    );
    expect(await byAssertion(all, assertionBy('PS256', alg, signedAs))).toBe('401 invalid_client');
  });

  it.each([
    [
      'an ML-DSA-44 key that calls itself ML-DSA-65',
      'ML-DSA-44',
      'ML-DSA-65',
      { alg: 'ML-DSA-65' },
    ],
    [
      'an ML-DSA-65 key that calls itself ML-DSA-44',
      'ML-DSA-65',
      'ML-DSA-44',
      { alg: 'ML-DSA-44' },
    ],
    [
      'an ML-DSA-87 key that calls itself ML-DSA-65',
      'ML-DSA-87',
      'ML-DSA-65',
      { alg: 'ML-DSA-65' },
    ],
    [
      'an ML-DSA key without alg (RFC 9964 §3: required)',
      'ML-DSA-44',
      'ML-DSA-44',
      { alg: undefined },
    ],
    ['a P-256 key that calls itself P-384', 'ES256', 'ES384', { crv: 'P-384' }],
    ['a P-384 key that calls itself P-256', 'ES384', 'ES256', { crv: 'P-256' }],
    ['a P-256 key for ES384 only', 'ES256', 'ES256', { alg: 'ES384' }],
    ['an RSA key for RS256 only, by PS256', 'PS256', 'PS256', { alg: 'RS256' }],
    ['an RSA key for PS256 only, by RS256', 'PS256', 'RS256', { alg: 'PS256' }],
    ['an Ed25519 key for EdDSA only, by Ed25519', 'Ed25519', 'Ed25519', { alg: 'EdDSA' }],
    ['an Ed25519 key that calls itself Ed448', 'Ed25519', 'EdDSA', { crv: 'Ed448' }],
  ] as const)('%s', async (_, kind, alg, change) => {
    expect(await byProof(all, proofBy(kind, alg, { ...keyOf(kind).jwk, ...change }))).toBe(
      '400 invalid_dpop_proof',
    );
  });

  it.each([
    'ES512',
    'ES256K',
    'PS384',
    'PS512',
    'RS384',
    'RS512',
    'Ed448',
    'ML-DSA-44-ES256',
    'SLH-DSA-SHA2-128s',
    'HS256',
    'none',
  ])('%s, which nobody offers', async (alg) => {
    for (const kind of kinds) {
      expect(await byProof(all, proofBy(kind, alg))).toBe('400 invalid_dpop_proof');
      expect(await byAssertion(all, assertionBy(kind, alg))).toBe('401 invalid_client');
    }
  });

  it('a signature of the right key, one octet changed', async () => {
    for (const kind of kinds) {
      const change = (jws: string) =>
        jws.replace(/[^.]{40}$/, (end) => (end.startsWith('A') ? 'B' : 'A') + end.slice(1));
      expect(await byProof(all, change(proofBy(kind, kind)))).toBe('400 invalid_dpop_proof');
      expect(await byAssertion(all, change(assertionBy(kind, kind)))).toBe('401 invalid_client');
    }
  });
});
