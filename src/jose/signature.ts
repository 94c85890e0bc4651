import { constants, type KeyObject, verify } from 'node:crypto';
import type { SigningAlgorithm } from './algorithms.ts';

/** Octets of an ECDSA signature, r and s side by side (RFC 7518 §3.4). */
const ecdsaLength: Partial<Record<SigningAlgorithm, number>> = { ES256: 64, ES384: 96 };

/**
 * Whether this is a signature of `input` by `key`. The one place that leaves jose for `node:crypto`, which takes half the time.
 * The caller has checked that the algorithm fits the key. Never throws.
 */
export function verifySignature(alg: SigningAlgorithm, key: KeyObject, input: Buffer, signature: Buffer): boolean {
  const length = ecdsaLength[alg];
  if (length !== undefined && signature.length !== length) return false;
  try {
    switch (alg) {
      case 'ES256':
        return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature);
      case 'ES384':
        return verify('sha384', input, { key, dsaEncoding: 'ieee-p1363' }, signature);
      case 'PS256':
        return verify('sha256', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, signature);
      case 'RS256':
        return verify('sha256', input, key, signature);
      case 'EdDSA':
      case 'Ed25519':
      case 'ML-DSA-44':
      case 'ML-DSA-65':
      case 'ML-DSA-87':
        return verify(null, input, key, signature);
    }
  } catch {
    return false;
  }
}
