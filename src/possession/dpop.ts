import type { Clock } from '../clock.ts';
import type { SigningAlgorithm } from '../jose/algorithms.ts';
import { type ParsedJws, parseCompactJws, verifyJws } from '../jose/compact-jws.ts';
import { gatedKeys } from '../jose/gated-keys.ts';
import type { PublicKey } from '../jose/public-key.ts';
import { type Constant, OAuthError } from '../oauth-error.ts';
import type { Proof } from '../proven-key.ts';
import { type Acceptable, singleUse } from '../single-use.ts';
import type { DpopNonces } from './dpop-nonce.ts';
import { comparableHtu } from './htu.ts';

/** What a DPoP proof is checked against. Times in seconds. */
export interface DpopOptions {
  readonly clock: Clock;
  readonly nonces: DpopNonces;
  /** The public URI of the endpoint, from configuration: `Host` is the client's word (RFC 9449 §4.3 item 9). */
  readonly endpoint: string;
  /** The same endpoint under `mtls_endpoint_aliases` (RFC 8705 §5). */
  readonly alias?: string;
  readonly algs: readonly SigningAlgorithm[];
  readonly maxAge: number;
  readonly maxFuture: number;
}

/** A checked proof, not yet marked as used. */
export interface DpopProof extends Proof {
  /** A newer nonce to hand out, when the proof used one that is about to expire. */
  readonly freshNonce?: string;
  /** The `ath` claim, which only a resource server asks for. */
  readonly ath?: unknown;
}

const readPublicKey = gatedKeys();

/** Characters of `jti`; the raw string counts. A UUID has 36. */
const maxJtiLength = 128;

/**
 * Checks one `DPoP` header field value by RFC 9449 §4.3, all but the replay, which the atomic commit at the end does.
 * Throws `invalid_dpop_proof`, or `use_dpop_nonce` when a nonce is required and missing or stale.
 */
export function dpop(options: DpopOptions): (fields: readonly string[], method: string, nonceRequired: boolean) => DpopProof {
  const expectedHtu = comparableHtu(options.endpoint);
  const aliasHtu = options.alias === undefined ? undefined : comparableHtu(options.alias);
  return (fields, method, nonceRequired) => {
    const { jws, key } = readProof(fields, options.algs);
    const { jti, htm, htu, iat, nonce } = jws.payload;
    if (typeof jti !== 'string' || jti === '' || jti.length > maxJtiLength)
      throw refused('the DPoP proof needs a jti of 1 to 128 characters', 'proof_jti_invalid');
    if (htm !== method) throw refused('htm of the DPoP proof is not the method of this request', 'proof_htm_mismatch');
    const target = typeof htu === 'string' ? comparableHtu(htu) : undefined;
    if (target === undefined || (target !== expectedHtu && target !== aliasHtu))
      throw refused('htu of the DPoP proof is not the URI of this endpoint', 'proof_htu_mismatch');
    if (typeof iat !== 'number' || !Number.isFinite(iat) || iat < 0) throw refused('the DPoP proof needs a numeric iat', 'proof_iat_invalid');
    checkExpNbf(jws.payload, options);

    const use = (acceptable: Acceptable) => singleUse('dpop_proof', key.jkt, target, jti, acceptable);
    const proven = { key, provenBy: 'dpop_proof', ath: jws.payload['ath'] } as const;
    if (!nonceRequired) {
      checkAge(iat, options);
      return { ...proven, use: use({ from: iat - options.maxFuture, until: iat + options.maxAge + options.maxFuture }) };
    }
    const verdict = options.nonces.check(nonce);
    if (!verdict.valid)
      throw new OAuthError('use_dpop_nonce', 'a nonce of this server is required in the DPoP proof', {
        reason: nonce === undefined ? 'nonce_missing' : 'nonce_stale',
      });
    // With a nonce its time counts, not the client's clock (RFC 9449 §4.3 item 11).
    return { ...proven, use: use(verdict.acceptable), ...(!verdict.newest && { freshNonce: options.nonces.current() }) };
  };
}

function readProof(fields: readonly string[], algs: readonly SigningAlgorithm[]): { jws: ParsedJws; key: PublicKey } {
  const [text] = fields;
  if (fields.length !== 1 || text === undefined) throw refused('there must be exactly one DPoP header field', 'proof_header_repeated');
  let jws: ParsedJws;
  let key: PublicKey;
  try {
    jws = parseCompactJws(text);
    key = readPublicKey(jws.header['jwk']);
    verifyJws(jws, key, algs);
  } catch (cause) {
    throw new OAuthError('invalid_dpop_proof', 'the DPoP proof is not a JWT signed by the acceptable public key in its header', {
      cause,
      reason: 'proof_malformed',
    });
  }
  if (jws.header['typ'] !== 'dpop+jwt') throw refused('typ of the DPoP proof is not dpop+jwt', 'proof_typ_mismatch');
  return { jws, key };
}

function checkAge(iat: number, { clock, maxAge, maxFuture }: DpopOptions): void {
  const now = clock() / 1000;
  if (iat < Math.floor(now) - maxAge) throw refused('iat of the DPoP proof is too old', 'proof_iat_too_old');
  if (iat > now + maxFuture) throw refused('iat of the DPoP proof is in the future', 'proof_iat_in_future');
}

// RFC 9449 asks for neither; a proof that limits itself is taken at its word (RFC 7519 §4.1.4, §4.1.5).
function checkExpNbf({ exp, nbf }: Record<string, unknown>, { clock, maxFuture }: DpopOptions): void {
  const now = clock() / 1000;
  if (exp !== undefined && !(typeof exp === 'number' && exp > now)) throw refused('the DPoP proof has expired', 'proof_expired');
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= now + maxFuture))
    throw refused('the DPoP proof is not valid yet', 'proof_not_yet_valid');
}

function refused<Description extends string>(description: Constant<Description>, reason: string): OAuthError {
  return new OAuthError<Description>('invalid_dpop_proof', description, { reason });
}
