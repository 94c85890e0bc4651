import { hash } from 'node:crypto';
import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { boundedCache } from '../../jose/bounded-cache.ts';
import { type JwsLimits, parseCompactJws, verifyJws } from '../../jose/compact-jws.ts';
import { JoseError } from '../../jose/jose-error.ts';
import type { PublicKey } from '../../jose/public-key.ts';

/** Characters of each part of our own tokens; several keys make the payload long. */
const limits: JwsLimits = { header: 1024, payload: 16_384, signature: 6400 };

/**
 * Bytes of the verified tokens remembered, some 6,000 of them: their signatures need no second look
 * while their key is published.
 */
const maxBytes = 16 * 1024 * 1024;

export interface VerifyAccessTokenOptions {
  readonly issuer: string;
  /** A published signing key of this server. */
  readonly verificationKey: (kid: string) => Promise<PublicKey | undefined>;
}

/**
 * The claims of an access token that this server signed, whatever its age and state (RFC 9068 §4),
 * else undefined. Throws StoreUnavailable.
 */
export type VerifyAccessToken = (token: string) => Promise<AccessTokenClaims | undefined>;

/** Checks type, signature and issuer. */
export function verifyAccessToken({
  issuer,
  verificationKey,
}: VerifyAccessTokenOptions): VerifyAccessToken {
  const known = boundedCache<{ readonly kid: string; readonly claims: AccessTokenClaims }>(
    maxBytes,
  );
  return async (token) => {
    const digest = hash('sha256', token, 'base64url');
    const before = known.get(digest);
    if (before !== undefined)
      return (await verificationKey(before.kid)) === undefined ? undefined : before.claims;
    try {
      const jws = parseCompactJws(token, limits);
      const { kid, typ } = jws.header;
      if (typeof kid !== 'string' || typ !== 'at+jwt' || jws.payload['iss'] !== issuer)
        return undefined;
      const key = await verificationKey(kid);
      if (key === undefined) return undefined;
      verifyJws(jws, key, key.algs);
      // Signed by this server under this type, so it has the shape that this server gives.
      const claims = jws.payload as unknown as AccessTokenClaims;
      known.set(digest, { kid, claims }, token.length * 4);
      return claims;
    } catch (fault) {
      if (fault instanceof JoseError) return undefined;
      throw fault;
    }
  };
}
