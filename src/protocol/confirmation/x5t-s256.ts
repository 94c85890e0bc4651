import type { Confirmation } from '../../domain/confirmation.ts';
import type { ConfirmationMethod } from '../../domain/confirmation-methods.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/** Names the certificate that the TLS handshake proved (RFC 8705 §3.1). */
export function x5tS256({ 'x5t#S256': thumbprint }: ProvenKey): Confirmation | undefined {
  return thumbprint === undefined ? undefined : { 'x5t#S256': thumbprint };
}

/**
 * The methods in a resource server's list that can confirm a key proven only by the handshake:
 * `x5t#S256` wherever it stands, and never `jkt`, because a client of RFC 8705 creates no DPoP
 * proofs to present such a token with.
 */
export function methodsOfCertificate(
  accepted: readonly ConfirmationMethod[],
): readonly ConfirmationMethod[] {
  return accepted.includes('x5t#S256')
    ? ['x5t#S256']
    : accepted.filter((method) => method !== 'jkt');
}
