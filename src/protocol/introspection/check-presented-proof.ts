import { createHash, X509Certificate } from 'node:crypto';
import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { RefusalReason } from '../../domain/refusal-reasons.ts';
import type { Ports } from '../../ports/ports.ts';
import { type DpopOptions, dpop } from '../possession/dpop.ts';
import type { FindPresenter } from './find-presenter.ts';

/** What a resource server received beside the token. */
export interface PresentedProof {
  readonly dpopProof?: string;
  readonly htm?: string;
  readonly htu?: string;
  /** PEM. */
  readonly clientCertificate?: string;
}

/**
 * Whether the proof confirms the token, and who presents it; `nonce` if the presenter needs one.
 */
export interface ProofVerdict {
  readonly valid: boolean;
  readonly presenter?: string;
  readonly reason?: RefusalReason | 'key_mismatch';
  readonly nonce?: string;
}

export interface CheckPresentedProofOptions
  extends Omit<DpopOptions, 'endpoint'>,
    Pick<Ports, 'replay'> {
  readonly nonceRequired: boolean;
  readonly findPresenter: FindPresenter;
}

/**
 * Checks whether a proof that a resource server received confirms the token (RFC 9449 §7.1, RFC
 * 8705 §3). A proof counts once.
 */
export function checkPresentedProof({
  replay,
  nonceRequired,
  findPresenter,
  ...options
}: CheckPresentedProofOptions) {
  return async (
    presented: PresentedProof,
    token: string,
    claims: AccessTokenClaims,
  ): Promise<ProofVerdict | undefined> => {
    const { dpopProof, htm, htu, clientCertificate } = presented;
    if (dpopProof !== undefined && clientCertificate !== undefined)
      throw new OAuthError('several_proofs');
    if (clientCertificate !== undefined)
      return certificateVerdict(clientCertificate, claims, findPresenter);
    if (dpopProof === undefined) return undefined;
    if (htm === undefined || htu === undefined) throw new OAuthError('htm_or_htu_missing');
    try {
      const proof = dpop({ ...options, endpoint: htu })([dpopProof], htm, nonceRequired);
      if (proof.ath !== createHash('sha256').update(token).digest('base64url'))
        return { valid: false, reason: 'proof_ath_mismatch' };
      const presenter = await findPresenter('key', proof.key.jkt, claims);
      if (presenter === undefined) return { valid: false, reason: 'key_mismatch' };
      const [first] = await replay.markUsed([proof.use]);
      return first === true
        ? { valid: true, presenter }
        : { valid: false, reason: 'proof_replayed' };
    } catch (fault) {
      if (!(fault instanceof OAuthError)) throw fault;
      return {
        valid: false,
        reason: fault.reason,
        ...(fault.code === 'use_dpop_nonce' && { nonce: options.nonces.current() }),
      };
    }
  };
}

async function certificateVerdict(
  pem: string,
  claims: AccessTokenClaims,
  findPresenter: FindPresenter,
): Promise<ProofVerdict> {
  let thumbprint: string;
  try {
    thumbprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');
  } catch {
    return { valid: false, reason: 'certificate_malformed' };
  }
  const presenter = await findPresenter('certificate', thumbprint, claims);
  return presenter === undefined
    ? { valid: false, reason: 'key_mismatch' }
    : { valid: true, presenter };
}
