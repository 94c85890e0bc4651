import { randomBytes } from 'node:crypto';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
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
  const jwk = await exportJWK(publicKey);
  const now = startOfTime / 1000;
  const sign = (claims: object, header: object) =>
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
