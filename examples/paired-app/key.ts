// A key that never leaves its owner, and what its owner signs with it.
import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface OwnKey {
  readonly jwk: JWK;
  readonly jkt: string;
  sign(claims: object, header: object): Promise<string>;
  /** A DPoP proof for one request (RFC 9449 §4.2), with `ath` when an access token goes along. */
  dpop(method: string, url: string, accessToken?: string): Promise<string>;
}

export async function generateKey(): Promise<OwnKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  const sign = (claims: object, header: object) =>
    new SignJWT({ jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .setIssuedAt()
      .sign(privateKey);
  return {
    jwk,
    jkt: await calculateJwkThumbprint(jwk),
    sign,
    dpop: (htm, htu, token) =>
      sign(
        {
          htm,
          htu,
          ...(token !== undefined && {
            ath: createHash('sha256').update(token).digest('base64url'),
          }),
        },
        { typ: 'dpop+jwt', jwk },
      ),
  };
}
