import type { AltConfirmation, Binding } from '../confirmation/binding.ts';
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
  readonly cnf: Binding['cnf'];
  readonly alt_cnf?: readonly AltConfirmation[];
}

/** The claims for a grant; pure. `now` in seconds since the epoch, `lifetime` in seconds. */
export function accessTokenClaims(
  issuer: string,
  clientId: string,
  grant: Grant,
  binding: Binding,
  jti: string,
  now: number,
  lifetime: number,
): AccessTokenClaims {
  return {
    iss: issuer,
    sub: grant.subject,
    aud: grant.resourceServer.audience,
    client_id: clientId,
    iat: now,
    exp: now + lifetime,
    jti,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
    ...binding,
  };
}
