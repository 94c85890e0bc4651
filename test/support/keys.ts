import {
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { issuer, startOfTime } from './server.ts';

/** A client's key with everything that a client does with it. Members given as `undefined` are left out of header or claims. */
export interface TestKey {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly jkt: string;
  /** A DPoP proof for `POST /token`, fresh at the start of the test clock (RFC 9449 §4.2). */
  proof(claims?: object, header?: object): Promise<string>;
  /** A client assertion for the token endpoint (RFC 7523 §3). */
  assertion(clientId: string, claims?: object, header?: object): Promise<string>;
  sign(claims: object, header: object): Promise<string>;
}

/** Makes a key for this algorithm. */
export async function testKey(alg = 'ES256'): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return testKeyOf(alg, privateKey, await exportJWK(publicKey));
}

let anyRsa: Promise<JWK> | undefined;

/** The one RSA key of this process, for this algorithm: to make one takes as long as many tests. */
export async function anyRsaKey(alg: 'RS256' | 'PS256'): Promise<TestKey> {
  anyRsa ??= generateKeyPair(alg, { extractable: true }).then(async ({ privateKey }) =>
    exportJWK(privateKey),
  );
  const all = await anyRsa;
  const { kty = '', n = '', e = '' } = all;
  const options = { extractable: true };
  return testKeyOf(alg, (await importJWK(all, alg, options)) as CryptoKey, { kty, n, e });
}

/** An RSA key of 4104 bits, which takes seconds to make. */
export function rsa4104(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  const file = join(import.meta.dirname, 'rsa-4104.json');
  const privateKey = createPrivateKey({
    key: JSON.parse(readFileSync(file, 'utf8')) as JsonWebKey,
    format: 'jwk',
  });
  return { publicKey: createPublicKey(privateKey), privateKey };
}

async function testKeyOf(alg: string, privateKey: CryptoKey, jwk: JWK): Promise<TestKey> {
  const now = startOfTime / 1000;
  const sign = async (claims: object, header: object) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg, ...header }).sign(privateKey);
  return {
    alg,
    privateKey,
    jwk,
    jkt: await calculateJwkThumbprint(jwk),
    sign,
    proof: (claims = {}, header = {}) =>
      sign(
        { jti: randomJti(), htm: 'POST', htu: `${issuer}/token`, iat: now, ...claims },
        { typ: 'dpop+jwt', jwk, ...header },
      ),
    assertion: (clientId, claims = {}, header = {}) =>
      sign(
        {
          iss: clientId,
          sub: clientId,
          aud: issuer,
          jti: randomJti(),
          iat: now,
          exp: now + 60,
          ...claims,
        },
        header,
      ),
  };
}

/** A fresh `jti`. */
export function randomJti(): string {
  return randomBytes(16).toString('base64url');
}
