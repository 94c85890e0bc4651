import { hash } from 'node:crypto';
import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { boundedCache } from '../../jose/bounded-cache.ts';
import { type JwsLimits, parseCompactJws, verifyJws } from '../../jose/compact-jws.ts';
import { JoseError } from '../../jose/jose-error.ts';
import type { PublicKey } from '../../jose/public-key.ts';

/** Characters of each part of our own tokens; several keys make the payload long. */
const limits: JwsLimits = { header: 1024, payload: 16_384, signature: 6400 };

/**
 * Size in bytes of the cache of verified tokens, about 6,000 of them. Their signatures are not
 * checked again while their key is published.
 */
const maxBytes = 16 * 1024 * 1024;

export interface VerifyAccessTokenOptions {
  readonly issuer: string;
  /** A published signing key of this server. */
  readonly verificationKey: (kid: string) => Promise<PublicKey | undefined>;
}

/**
 * Returns the claims of an access token signed by this server, whatever its age and state (RFC 9068
 * §4), or undefined. Throws StoreUnavailable.
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
      // This server signed it with this type, so the claims have the expected shape.
      const claims = jws.payload as unknown as AccessTokenClaims;
      known.set(digest, { kid, claims }, token.length * 4);
      return claims;
    } catch (fault) {
      if (fault instanceof JoseError) return undefined;
      throw fault;
    }
  };
}
