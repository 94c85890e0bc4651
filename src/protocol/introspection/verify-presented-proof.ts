import { createHash, X509Certificate } from 'node:crypto';
import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import { ath } from '../../jose/access-token-hash.ts';
import { type DpopOptions, dpop } from '../possession/dpop.ts';
import type { FindPresenter } from './find-presenter.ts';

/** The proof with a token: one DPoP proof, or the certificate of the TLS connection. */
export type PresentedProof =
  | {
      /** Every `DPoP` header field. */
      readonly dpopProofs: readonly string[];
      readonly htm: string;
      readonly htu: string;
      /** True: a nonce is not required, even if the server requires one. */
      readonly withoutNonce?: boolean;
    }
  | {
      /** The client certificate, PEM. */
      readonly clientCertificate: string;
    }
  | {
      /** SHA-256 thumbprint of a certificate that was already read. */
      readonly certificateThumbprint: string;
    };

/** The holder that proved a key of the token. */
export interface ConfirmedToken {
  /** `client_id` of the holder. */
  readonly presenter: string;
  /** RFC 7638 thumbprint of its key, or the SHA-256 thumbprint of its certificate. */
  readonly thumbprint: string;
  /** The proof, to be marked as used after all other checks. */
  readonly use?: SingleUse;
  /** A nonce for the next proof, if the one used expires soon. */
  readonly freshNonce?: string;
}

export interface VerifyPresentedProofOptions extends Omit<DpopOptions, 'endpoint'> {
  readonly nonceRequired: boolean;
  readonly findPresenter: FindPresenter;
}

/**
 * Checks whether a proof confirms the token (RFC 9449 §7.1, RFC 8705 §3), except for its replay.
 * Throws OAuthError.
 */
export type VerifyPresentedProof = (
  presented: PresentedProof,
  token: string,
  claims: AccessTokenClaims,
) => Promise<ConfirmedToken>;

/** Builds the check of presented proofs. */
export function verifyPresentedProof({
  nonceRequired,
  findPresenter,
  ...options
}: VerifyPresentedProofOptions): VerifyPresentedProof {
  return async (presented, token, claims) => {
    const confirmedBy = async (shown: 'key' | 'certificate', thumbprint: string) => {
      const presenter = await findPresenter(shown, thumbprint, claims);
      if (presenter === undefined) throw new OAuthError('key_mismatch');
      return { presenter, thumbprint };
    };
    if (!('dpopProofs' in presented)) return confirmedBy('certificate', thumbprintOf(presented));
    const { dpopProofs, htm, htu, withoutNonce = false } = presented;
    const isRequired = nonceRequired && !withoutNonce;
    const proof = dpop({ ...options, endpoint: htu })(dpopProofs, htm, isRequired);
    if (proof.ath !== ath(token)) throw new OAuthError('proof_ath_mismatch');
    const { use, freshNonce } = proof;
    return {
      ...(await confirmedBy('key', proof.key.jkt)),
      use,
      ...(freshNonce !== undefined && { freshNonce }),
    };
  };
}

function thumbprintOf(presented: Exclude<PresentedProof, { dpopProofs: unknown }>): string {
  if ('certificateThumbprint' in presented) return presented.certificateThumbprint;
  let der: Buffer;
  try {
    der = new X509Certificate(presented.clientCertificate).raw;
  } catch (cause) {
    throw new OAuthError('certificate_malformed', { cause });
  }
  return createHash('sha256').update(der).digest('base64url');
}
