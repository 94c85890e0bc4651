import type { SubjectProof } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenSubject } from '../../domain/possession.ts';
import { singleUse } from '../../domain/single-use.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import { type ParsedJws, parseCompactJws, proofLimits, verifyJws } from '../../jose/compact-jws.ts';
import { type PublicKey, readPublicKey } from '../../jose/public-key.ts';
import { withoutUnknownMembers } from '../../jose/public-members.ts';
import { type Consenting, type ConsentOptions, consentClaims } from './consent-claims.ts';

/** What a `subject-token-proof+jwt` is checked against. */
export interface SubjectTokenProofOptions extends Omit<ConsentOptions, 'maxLifetime'> {
  readonly algs: readonly SigningAlgorithm[];
}

/** Maximum seconds from `iat` to `exp`. */
const maxLifetime = 120;

/** Checks the proof by the key of a subject token. Throws `failed_pop_verification`. */
export type CheckSubjectTokenProof = (proof: SubjectProof, actor: Consenting) => ProvenSubject;

/**
 * Checks that the client of the subject token agrees, by that token's key, that this actor acts for
 * it with this key at this resource server (docs/delegation.md). The commit checks replay.
 */
export function subjectTokenProof(options: SubjectTokenProofOptions): CheckSubjectTokenProof {
  return ({ text, keys, ath, audience }, actor) => {
    const { jws, key } = readProof(text, options.algs);
    if (!keys.includes(key.jkt)) throw new OAuthError('subject_proof_signer_mismatch');
    const { payload } = jws;
    const { jti, acceptable } = consentClaims('subject_proof', payload, actor, {
      ...options,
      maxLifetime,
    });
    if (payload['ath'] !== ath) throw new OAuthError('subject_proof_ath_mismatch');
    const { resource } = payload;
    const audiences = [resource].flat().filter((one) => typeof one === 'string');
    if (!audiences.includes(audience)) throw new OAuthError('subject_proof_resource_mismatch');
    const use = singleUse('subject_token_proof', key.jkt, '', jti, acceptable);
    return { jkt: key.jkt, audiences, use };
  };
}

function readProof(
  text: string,
  algs: readonly SigningAlgorithm[],
): { readonly jws: ParsedJws; readonly key: PublicKey } {
  let jws: ParsedJws;
  let key: PublicKey;
  try {
    jws = parseCompactJws(text, proofLimits);
    key = readPublicKey(withoutUnknownMembers(jws.header['jwk']));
    verifyJws(jws, key, algs);
  } catch (cause) {
    throw new OAuthError('subject_proof_malformed', { cause });
  }
  if (jws.header['typ'] !== 'subject-token-proof+jwt')
    throw new OAuthError('subject_proof_typ_mismatch');
  return { jws, key };
}
