import { randomBytes } from 'node:crypto';
import type { StoredSecret } from '../domain/client-registration.ts';
import { hashClientSecret } from '../protocol/client-authentication/client-secret.ts';

/** Generates a secret of 256 random bits, base64url; it is shown once. */
export function generateClientSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Returns the stored form of a secret. Times in seconds since the epoch. */
export function storedSecret(secret: string, now: number, expiresAt?: number): StoredSecret {
  return {
    // Identifies the secret to the operator without revealing anything about it.
    id: randomBytes(6).toString('base64url'),
    hash: hashClientSecret(secret),
    created_at: now,
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
  };
}
