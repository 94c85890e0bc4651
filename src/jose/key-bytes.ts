import type { PublicKey } from './public-key.ts';

/**
 * Bytes of a key that was imported, its native part included, beside those that its members take.
 * Measured with Node 24: P-256 takes the most, for OpenSSL keeps precomputed points.
 */
export const importedKeyBytes = 5000;

/** Bytes that a key holds: members are in the JWK and in native memory, more than once. */
export function keyBytes({ jwk, kid = '', x5c = [] }: PublicKey): number {
  const members = Object.values(jwk).reduce((sum, value) => sum + value.length, 0);
  const texts = [kid, ...x5c].reduce((sum, value) => sum + value.length, 0);
  return importedKeyBytes + members * 4 + texts * 2;
}
