import { createHash, randomBytes } from 'node:crypto';

/** Generates an admin token of 256 random bits. */
export function generateAdminToken(): string {
  return `hfadm_${randomBytes(32).toString('base64url')}`;
}

/** base64url SHA-256 of the token: all that is stored. */
export function adminTokenHash(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
