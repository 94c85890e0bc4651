import type { PublicKey } from './public-key.ts';

/**
 * Bytes of an imported key besides its members. Measured with Node 24; P-256 takes the most,
 * because OpenSSL keeps precomputed points.
 */
export const importedKeyBytes = 5000;

/** Estimates the bytes that a key holds; native memory repeats its members. */
export function keyBytes({ jwk, kid = '', x5c = [] }: PublicKey): number {
  const members = Object.values(jwk).reduce((sum, value) => sum + value.length, 0);
  const texts = [kid, ...x5c].reduce((sum, value) => sum + value.length, 0);
  return importedKeyBytes + members * 4 + texts * 2;
}
