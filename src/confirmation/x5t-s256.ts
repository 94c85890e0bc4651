import type { ProvenKey } from '../proven-key.ts';
import type { Confirmation } from './confirmation.ts';

/** Names the certificate that the TLS handshake proved (RFC 8705 §3.1). */
export function x5tS256({ 'x5t#S256': thumbprint }: ProvenKey): Confirmation | undefined {
  return thumbprint === undefined ? undefined : { 'x5t#S256': thumbprint };
}
