import { hash, timingSafeEqual } from 'node:crypto';
import type { StoredSecret } from '../../domain/client-registration.ts';

// Compared with an unknown client's secret, so that "unknown" takes as long as "wrong".
const nobody = hash('sha256', 'no client has this secret', 'buffer');

/** base64url SHA-256 of a secret, which has at least 32 characters: a fast hash is enough. */
export function hashClientSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/**
 * The registered secret that matches the presented one and is valid at `now` (seconds since the
 * epoch). Comparisons take constant time, and one is made even without a secret (RFC 6749 §2.3.1).
 */
export function matchingSecret(
  secrets: readonly StoredSecret[],
  presented: string,
  now: number,
): StoredSecret | undefined {
  const digest = hash('sha256', presented, 'buffer');
  if (secrets.length === 0) timingSafeEqual(nobody, digest);
  let match: StoredSecret | undefined;
  for (const secret of secrets) {
    const stored = Buffer.from(secret.hash, 'base64url');
    const equal = stored.length === digest.length && timingSafeEqual(stored, digest);
    if (equal && (secret.expires_at === undefined || secret.expires_at > now)) match = secret;
  }
  return match;
}
