import { OAuthError } from '../../domain/oauth-error.ts';
import type { Proof } from '../../domain/proven-key.ts';
import { singleUse } from '../../domain/single-use.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import { type ParsedJws, parseCompactJws, proofLimits, verifyJws } from '../../jose/compact-jws.ts';
import { type PublicKey, readPublicKey } from '../../jose/public-key.ts';
import { withoutUnknownMembers } from '../../jose/public-members.ts';
import { verifiedHeaderCache } from '../../jose/verified-header-cache.ts';
import { type ProofClaimsOptions, proofClaims } from './proof-claims.ts';

/** What a DPoP proof is checked against. */
export interface DpopOptions extends ProofClaimsOptions {
  readonly algs: readonly SigningAlgorithm[];
}

/** A checked proof, not yet marked as used. */
export interface DpopProof extends Proof {
  /** A newer nonce to send, if the one in the proof is about to expire. */
  readonly freshNonce?: string;
  /** The `ath` claim, which only a resource server requires. */
  readonly ath?: unknown;
}

/** 32 MiB: some 5,000 active keys. */
const headers = verifiedHeaderCache(32 * 1024 * 1024);

/**
 * Checks one `DPoP` header field value (RFC 9449 §4.3) except for replay, which the commit checks.
 * Throws `invalid_dpop_proof`, or `use_dpop_nonce` for a missing or stale nonce.
 */
export function dpop(
  options: DpopOptions,
): (fields: readonly string[], method: string, nonceRequired: boolean) => DpopProof {
  const checkClaims = proofClaims(options);
  return (fields, method, nonceRequired) => {
    const { jws, key } = readProof(fields, options.algs);
    const { jti, target, acceptable, ...rest } = checkClaims(jws.payload, method, nonceRequired);
    return {
      key,
      provenBy: 'dpop_proof',
      use: singleUse('dpop_proof', key.jkt, target, jti, acceptable),
      ...rest,
    };
  };
}

function readProof(
  fields: readonly string[],
  algs: readonly SigningAlgorithm[],
): { jws: ParsedJws; key: PublicKey } {
  const [text] = fields;
  if (fields.length !== 1 || text === undefined) throw new OAuthError('proof_header_repeated');
  let jws: ParsedJws;
  let key: PublicKey;
  try {
    const encoded = text.slice(0, text.indexOf('.'));
    const known = headers.get(encoded);
    jws = parseCompactJws(text, proofLimits, known?.header);
    key = known?.key ?? readPublicKey(withoutUnknownMembers(jws.header['jwk']));
    verifyJws(jws, key, algs);
    if (known?.key === undefined) headers.set(encoded, { header: jws.header, key });
  } catch (cause) {
    throw new OAuthError('proof_malformed', { cause });
  }
  if (jws.header['typ'] !== 'dpop+jwt') throw new OAuthError('proof_typ_mismatch');
  return { jws, key };
}
