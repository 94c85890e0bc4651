import type { Confirmation } from '../../domain/confirmation.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/** Names the key by its RFC 7638 SHA-256 thumbprint (RFC 9449 §6.1). */
export function jkt({ key }: ProvenKey): Confirmation | undefined {
  return key && { jkt: key.jkt };
}
