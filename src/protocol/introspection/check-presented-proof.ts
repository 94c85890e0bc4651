import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { RefusalReason } from '../../domain/refusal-reasons.ts';
import type { Ports } from '../../ports/ports.ts';
import type { DpopNonces } from '../possession/dpop-nonce.ts';
import { countOnce } from './count-once.ts';
import type { PresentedProof, VerifyPresentedProof } from './verify-presented-proof.ts';

/** The proof that a resource server sent with the token. */
export interface ForwardedProof {
  readonly dpopProof?: string;
  readonly htm?: string;
  readonly htu?: string;
  /** The client certificate, PEM. */
  readonly clientCertificate?: string;
}

/** Whether the proof confirms the token, and its presenter; `nonce` if it needs one. */
export interface ProofVerdict {
  readonly valid: boolean;
  readonly presenter?: string;
  readonly reason?: RefusalReason;
  readonly nonce?: string;
}

export interface CheckPresentedProofOptions extends Pick<Ports, 'replay'> {
  readonly nonces: Pick<DpopNonces, 'current'>;
  readonly verify: VerifyPresentedProof;
}

/** Checks whether a proof that a resource server received confirms the token. It counts once. */
export function checkPresentedProof({ replay, nonces, verify }: CheckPresentedProofOptions) {
  return async (
    forwarded: ForwardedProof,
    token: string,
    claims: AccessTokenClaims,
  ): Promise<ProofVerdict | undefined> => {
    const presented = presentedProof(forwarded);
    if (presented === undefined) return undefined;
    try {
      const { presenter, use } = await verify(presented, token, claims);
      await countOnce(replay, use);
      return { valid: true, presenter };
    } catch (fault) {
      if (!(fault instanceof OAuthError)) throw fault;
      return {
        valid: false,
        reason: fault.reason,
        ...(fault.code === 'use_dpop_nonce' && { nonce: nonces.current() }),
      };
    }
  };
}

function presentedProof({
  dpopProof,
  htm,
  htu,
  clientCertificate,
}: ForwardedProof): PresentedProof | undefined {
  if (dpopProof !== undefined && clientCertificate !== undefined)
    throw new OAuthError('several_proofs');
  if (clientCertificate !== undefined) return { clientCertificate };
  if (dpopProof === undefined) return undefined;
  if (htm === undefined || htu === undefined) throw new OAuthError('htm_or_htu_missing');
  return { dpopProofs: [dpopProof], htm, htu };
}
