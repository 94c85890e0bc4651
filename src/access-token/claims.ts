import type { Confirmation } from '../confirmation/confirmation.ts';
import type { Grant } from '../grant/grant.ts';

/** Claims of an access token (RFC 9068 §2.2, RFC 7800 §3.1). Times in seconds since the epoch. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly scope?: string;
  readonly cnf: Confirmation;
}

/** The claims for a grant; pure. `now` in seconds since the epoch. */
export function accessTokenClaims(
  issuer: string,
  clientId: string,
  grant: Grant,
  confirmation: Confirmation,
  jti: string,
  now: number,
): AccessTokenClaims {
  return {
    iss: issuer,
    sub: grant.subject,
    aud: grant.resourceServer.audience,
    client_id: clientId,
    iat: now,
    exp: now + grant.resourceServer.access_token_lifetime,
    jti,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
    cnf: confirmation,
  };
}
