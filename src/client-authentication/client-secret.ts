import { createHash, timingSafeEqual } from 'node:crypto';
import type { ClientRegistration } from '../client-registration.ts';

// What an unknown client's secret is compared with, so that "unknown" costs the same as "wrong".
const nobody = createHash('sha256').update('no client has this secret').digest();

/** base64url SHA-256 of a client secret. Secrets have 256 bits or 32 characters at least, so no slow hash is needed. */
export function hashClientSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Whether this is the client's secret; constant time, and the same work without a client (RFC 6749 §2.3.1). */
export function clientSecretMatches(client: ClientRegistration | undefined, secret: string): boolean {
  const stored = client?.clientSecretHash === undefined ? nobody : Buffer.from(client.clientSecretHash, 'base64url');
  const presented = createHash('sha256').update(secret).digest();
  const equal = stored.length === presented.length && timingSafeEqual(stored, presented);
  return equal && client?.clientSecretHash !== undefined;
}
