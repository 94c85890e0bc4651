import { hash } from 'node:crypto';

/** The hash of an access token that a proof names in `ath` (RFC 9449 §4.2). */
export function ath(token: string): string {
  return hash('sha256', token, 'base64url');
}
