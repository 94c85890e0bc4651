import type { Clock } from '../../domain/clock.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Acceptable } from '../../domain/single-use.ts';
import { isNumericDate } from '../../jose/numeric-date.ts';
import type { DpopNonces, NonceVerdict } from './dpop-nonce.ts';
import { comparableHtu } from './htu.ts';

/** The claims of a proof made for this request, not yet marked as used. */
export interface ProofClaims {
  readonly jti: string;
  /** `htu` in the form that is compared. */
  readonly target: string;
  readonly acceptable: Acceptable;
  readonly ath?: unknown;
  /** A newer nonce to send, if the one in the proof is about to expire. */
  readonly freshNonce?: string;
}

/** What claims are checked against. Times in seconds. */
export interface ProofClaimsOptions {
  readonly clock: Clock;
  readonly nonces: DpopNonces;
  /** The configured URI of the endpoint; the client controls `Host` (RFC 9449 §4.3 item 9). */
  readonly endpoint: string;
  /** The same endpoint under `mtls_endpoint_aliases` (RFC 8705 §5). */
  readonly alias?: string;
  readonly maxAge: number;
  readonly maxFuture: number;
  /** True: every proof needs a nonce here, so only the nonce says how long one is acceptable. */
  readonly nonceAlways?: boolean;
  /** Receives the number of seconds by which `iat` is ahead of the clock. */
  readonly noteOffset?: (seconds: number) => void;
}

/** Seconds by which `iat` may be ahead with a nonce; the use is recorded for as long. */
const maxAhead = 3600;

/** Maximum characters of `jti`, as sent. A UUID has 36. */
const maxJtiLength = 128;

/**
 * Checks the claims of a proof (RFC 9449 §4.3 items 7 to 11). Throws `invalid_dpop_proof`, or
 * `use_dpop_nonce` for a missing or stale nonce.
 */
export function proofClaims(
  options: ProofClaimsOptions,
): (
  payload: Readonly<Record<string, unknown>>,
  method: string,
  nonceRequired: boolean,
) => ProofClaims {
  const expectedHtu = comparableHtu(options.endpoint);
  const aliasHtu = options.alias === undefined ? undefined : comparableHtu(options.alias);
  return (payload, method, nonceRequired) => {
    const { jti, htm, htu, iat, nonce } = payload;
    if (typeof jti !== 'string' || jti === '' || jti.length > maxJtiLength)
      throw new OAuthError('proof_jti_invalid');
    if (htm !== method) throw new OAuthError('proof_htm_mismatch');
    // Most proofs spell it as the configuration does.
    const target =
      htu === options.endpoint
        ? expectedHtu
        : typeof htu === 'string'
          ? comparableHtu(htu)
          : undefined;
    if (target === undefined || (target !== expectedHtu && target !== aliasHtu))
      throw new OAuthError('proof_htu_mismatch');
    if (!isNumericDate(iat) || iat < 0) throw new OAuthError('proof_iat_invalid');
    options.noteOffset?.(iat - options.clock() / 1000);
    checkExpNbf(payload, options);

    const claims = { jti, target, ath: payload['ath'] };
    const verdict = options.nonces.check(nonce);
    const acceptable = eitherWay(iat, verdict, options);
    if (!nonceRequired) {
      checkAge(iat, options);
      return { ...claims, acceptable };
    }
    if (!verdict.valid) throw new OAuthError(nonce === undefined ? 'nonce_missing' : 'nonce_stale');
    // With a nonce, its time counts, not the client's clock (RFC 9449 §4.3 item 11).
    if (options.nonceAlways !== true && !(iat <= options.clock() / 1000 + maxAhead))
      throw new OAuthError('proof_iat_in_future');
    const byNonce = verdict.acceptable;
    return {
      ...claims,
      acceptable: options.nonceAlways === true ? byNonce : { ...acceptable, from: byNonce.from },
      ...(!verdict.newest && { freshNonce: options.nonces.current() }),
    };
  };
}

/**
 * When the proof can be accepted by its `iat` or by its nonce: what needs no nonce here may need
 * one elsewhere, or later, and the proof must count once in all.
 */
function eitherWay(
  iat: number,
  { acceptable: byNonce }: NonceVerdict,
  { maxAge, maxFuture }: ProofClaimsOptions,
): Acceptable {
  const [from, until] = [iat - maxFuture, iat + maxAge + maxFuture];
  if (byNonce === undefined) return { from, until };
  return { from: Math.min(from, byNonce.from), until: Math.max(until, byNonce.until) };
}

function checkAge(iat: number, { clock, maxAge, maxFuture }: ProofClaimsOptions): void {
  const now = clock() / 1000;
  // Comparisons with NaN are false, so each one states what must be true.
  if (!(iat >= Math.floor(now) - maxAge)) throw new OAuthError('proof_iat_too_old');
  if (!(iat <= now + maxFuture)) throw new OAuthError('proof_iat_in_future');
}

// RFC 9449 requires neither claim; if present, they limit the proof (RFC 7519 §4.1.4, §4.1.5).
function checkExpNbf(
  { exp, nbf }: Record<string, unknown>,
  { clock, maxFuture }: ProofClaimsOptions,
): void {
  const now = clock() / 1000;
  if (exp !== undefined && !(typeof exp === 'number' && exp > now))
    throw new OAuthError('proof_expired');
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= now + maxFuture))
    throw new OAuthError('proof_not_yet_valid');
}
