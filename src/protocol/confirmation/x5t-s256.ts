import type { Confirmation } from '../../domain/confirmation.ts';
import type { ConfirmationMethod } from '../../domain/confirmation-methods.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/** Names the certificate that the TLS handshake proved (RFC 8705 §3.1). */
export function x5tS256({ 'x5t#S256': thumbprint }: ProvenKey): Confirmation | undefined {
  return thumbprint === undefined ? undefined : { 'x5t#S256': thumbprint };
}

/**
 * The methods of a resource server's list by which a key can be confirmed that only the handshake
 * proves: `x5t#S256` wherever it stands, and never `jkt`, for a client of RFC 8705 makes no DPoP
 * proofs to present such a token with.
 */
export function methodsOfCertificate(
  accepted: readonly ConfirmationMethod[],
): readonly ConfirmationMethod[] {
  return accepted.includes('x5t#S256')
    ? ['x5t#S256']
    : accepted.filter((method) => method !== 'jkt');
}
