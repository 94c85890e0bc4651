import { isNumericDate } from '../../../src/jose/numeric-date.ts';
import type { Reason } from './reasons.ts';
import { invalidToken } from './refusal.ts';

/** Checked claims of an access token (RFC 9068 §2.2); others are unchecked. Times in seconds. */
export interface AccessTokenClaims extends Readonly<Record<string, unknown>> {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string | readonly string[];
  readonly client_id: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly scope?: string;
}

/** What the claims are checked against; `now` in seconds since the epoch. */
export interface ClaimsContext {
  readonly issuer: string;
  readonly audience: string;
  readonly now: number;
  readonly clockTolerance: number;
}

/** Checks header and claims of a token with a verified signature (RFC 9068 §4). Throws Refused. */
export function checkClaims(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  { issuer, audience, now, clockTolerance }: ClaimsContext,
): AccessTokenClaims {
  const { typ } = header;
  const type = typeof typ === 'string' ? typ.toLowerCase() : undefined;
  if (type !== 'at+jwt' && type !== 'application/at+jwt') throw refused('token_typ_mismatch');
  const { iss, sub, aud, client_id, iat, exp, nbf, jti, scope } = claims;
  if (iss !== issuer) throw refused('token_iss_mismatch');
  if (![sub, client_id, jti].every((value) => typeof value === 'string' && value !== ''))
    throw refused('token_claim_missing');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(audience) || !audiences.every((value) => typeof value === 'string'))
    throw refused('token_aud_mismatch');
  if (!isNumericDate(exp) || !isNumericDate(iat)) throw refused('token_claim_missing');
  // Comparisons with NaN are false, so each one states what must be true.
  if (!(exp + clockTolerance > now))
    throw invalidToken('the access token has expired', 'token_expired');
  if (
    !(iat <= now + clockTolerance) ||
    (nbf !== undefined && !(isNumericDate(nbf) && nbf <= now + clockTolerance))
  )
    throw refused('token_not_yet_valid');
  if (scope !== undefined && typeof scope !== 'string') throw refused('token_scope_malformed');
  return claims as AccessTokenClaims;
}

function refused(reason: Reason) {
  return invalidToken(
    'the access token was not issued for this resource server by a trusted issuer',
    reason,
  );
}
