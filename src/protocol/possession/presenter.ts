import type { PresentedBy } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { PlatformToken } from '../../domain/platform-token.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/**
 * A bound subject or actor token, or ID-JAG, needs a proof by one of its keys, and, if it is an
 * access token, with its hash in `ath` (RFC 9449 §4.3 item 12). Throws `invalid_grant`.
 */
export function checkPresenter(
  { token, keys, ath }: PresentedBy,
  proven: ProvenKey,
  provenAth: unknown,
): void {
  if (!isOneOf(keys, proven)) throw new OAuthError(`${token}_key_mismatch`);
  if (token === 'id_jag' || ath === undefined) return;
  if (proven.provenBy === 'dpop_proof' && provenAth !== ath)
    throw new OAuthError(`${token}_ath_mismatch`);
}

/** A platform's token that is bound itself needs a proof by that key. Throws an OAuthError. */
export function checkPlatformToken(token: PlatformToken | undefined, proven: ProvenKey): void {
  if (token?.boundTo !== undefined && !isOneOf([token.boundTo], proven))
    throw new OAuthError(`${token.use}_key_mismatch`);
}

function isOneOf(keys: readonly string[], { key, 'x5t#S256': certificate }: ProvenKey): boolean {
  return [key?.jkt, certificate].some((name) => name !== undefined && keys.includes(name));
}
