import type { PresentedBy } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/**
 * A bound subject token needs a proof by one of its keys, and, if it is an access token, with its
 * hash in `ath` (RFC 9449 §4.3 item 12). Throws `invalid_grant`.
 */
export function checkPresenter(
  { keys, ath }: PresentedBy,
  { key, provenBy, 'x5t#S256': certificate }: ProvenKey,
  provenAth: unknown,
): void {
  if (![key?.jkt, certificate].some((name) => name !== undefined && keys.includes(name)))
    throw new OAuthError('subject_token_key_mismatch');
  if (ath !== undefined && provenBy === 'dpop_proof' && provenAth !== ath)
    throw new OAuthError('subject_token_ath_mismatch');
}
