import type { Confirmation } from '../../domain/confirmation.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';

/** Carries the public key itself, required members only (RFC 7800 §3.2). */
export function jwk({ key }: ProvenKey): Confirmation | undefined {
  return key && { jwk: key.jwk };
}
