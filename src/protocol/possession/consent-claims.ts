import type { Clock } from '../../domain/clock.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { Acceptable } from '../../domain/single-use.ts';
import { isNumericDate } from '../../jose/numeric-date.ts';

/** What a signed consent is checked against. Times in seconds. */
export interface ConsentOptions {
  readonly clock: Clock;
  /** The only acceptable `aud`. */
  readonly issuer: string;
  readonly maxLifetime: number;
  readonly clockTolerance: number;
}

/** The client whose request a consent is for. */
export interface Consenting {
  readonly clientId: string;
  /** Its key, proven in this request. */
  readonly boundKey: ProvenKey;
}

/** What `jti` must be unique for, and how long. */
export interface ConsentClaims {
  readonly jti: string;
  readonly acceptable: Acceptable;
}

/**
 * Checks the claims common to all consents: audience, client, key, times and `jti`. Throws an
 * OAuthError whose reason begins with `kind`.
 */
export function consentClaims(
  kind: 'cnf_proof' | 'subject_proof',
  payload: Readonly<Record<string, unknown>>,
  { clientId, boundKey }: Consenting,
  options: ConsentOptions,
): ConsentClaims {
  const { aud, client_id, cnf, jti } = payload;
  if (aud !== options.issuer) throw new OAuthError(`${kind}_aud_mismatch`);
  if (client_id !== clientId) throw new OAuthError(`${kind}_client_mismatch`);
  if (!namesKey(cnf, boundKey)) throw new OAuthError(`${kind}_key_mismatch`);
  const acceptable = checkTimes(kind, payload, options);
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    throw new OAuthError(`${kind}_jti_invalid`);
  return { jti, acceptable };
}

// `cnf` names the key of the requester, so a stolen consent is useless with another key.
function namesKey(cnf: unknown, { key, 'x5t#S256': certificate }: ProvenKey): boolean {
  if (typeof cnf !== 'object' || cnf === null) return false;
  const [member, ...more] = Object.entries(cnf);
  const expected = certificate === undefined ? ['jkt', key?.jkt] : ['x5t#S256', certificate];
  return more.length === 0 && member?.[0] === expected[0] && member?.[1] === expected[1];
}

function checkTimes(
  kind: 'cnf_proof' | 'subject_proof',
  { iat, exp, nbf }: Readonly<Record<string, unknown>>,
  { clock, maxLifetime, clockTolerance }: ConsentOptions,
): Acceptable {
  const now = clock() / 1000;
  if (!isNumericDate(iat) || !isNumericDate(exp)) throw new OAuthError(`${kind}_times_missing`);
  if (exp - iat > maxLifetime || exp <= iat) throw new OAuthError(`${kind}_lifetime`);
  if (exp + clockTolerance <= now) throw new OAuthError(`${kind}_expired`);
  const latest = now + clockTolerance;
  if (iat > latest || (nbf !== undefined && !(isNumericDate(nbf) && nbf <= latest)))
    throw new OAuthError(`${kind}_not_yet_valid`);
  return { from: iat - clockTolerance, until: exp + clockTolerance };
}
