import type { PresentedBy } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { PlatformToken } from '../../domain/platform-token.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/**
 * Requires a proof by one of the keys of a bound subject token, actor token or ID-JAG, and for an
 * access token its hash in `ath` (RFC 9449 §4.3 item 12). Throws `invalid_grant`.
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

/** Requires a proof by the key of a platform's token, if that is bound. Throws an OAuthError. */
export function checkPlatformToken(token: PlatformToken | undefined, proven: ProvenKey): void {
  if (token?.boundTo !== undefined && !isOneOf([token.boundTo], proven))
    throw new OAuthError(`${token.use}_key_mismatch`);
}

function isOneOf(keys: readonly string[], { key, 'x5t#S256': certificate }: ProvenKey): boolean {
  return [key?.jkt, certificate].some((name) => name !== undefined && keys.includes(name));
}
