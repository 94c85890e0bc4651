import { constants, type KeyObject, verify } from 'node:crypto';
import type { SigningAlgorithm } from './algorithms.ts';

/** Octets of an ECDSA signature, r and s side by side (RFC 7518 §3.4). */
const ecdsaLength: Partial<Record<SigningAlgorithm, number>> = { ES256: 64, ES384: 96 };

/**
 * Whether this is a signature of `input` by `key`. The one place that leaves jose for `node:crypto`, which takes half the time;
 * ECDSA goes in as DER, because OpenSSL behind `dsaEncoding` takes half as long again.
 * The caller has checked that the algorithm fits the key. Never throws.
 */
export function verifySignature(
  alg: SigningAlgorithm,
  key: KeyObject,
  input: Buffer,
  signature: Buffer,
): boolean {
  const length = ecdsaLength[alg];
  if (length !== undefined && signature.length !== length) return false;
  try {
    switch (alg) {
      case 'ES256':
        return verify('sha256', input, key, derOf(signature));
      case 'ES384':
        return verify('sha384', input, key, derOf(signature));
      case 'PS256':
        return verify(
          'sha256',
          input,
          { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
          signature,
        );
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

/** An ECDSA signature r‖s (RFC 7518 §3.4) as two INTEGERs in a SEQUENCE (RFC 3279 §2.2.3); for curves of up to 384 bits every length fits in one octet. */
export function derOf(signature: Buffer): Buffer {
  const size = signature.length / 2;
  const [r, s] = [integerLength(signature, 0, size), integerLength(signature, size, size)];
  const der = Buffer.alloc(6 + r + s);
  der[0] = 0x30;
  der[1] = 4 + r + s;
  writeInteger(der, 2, r, signature, size);
  writeInteger(der, 4 + r, s, signature, 2 * size);
  return der;
}

/** Octets of the shortest INTEGER that holds the unsigned number at `start`: no leading zeros, but one before a set sign bit. */
function integerLength(signature: Buffer, start: number, size: number): number {
  let first = start;
  while (first < start + size - 1 && signature[first] === 0) first++;
  return start + size - first + ((signature[first] ?? 0) >> 7);
}

/** The number that ends before `end`; the octets of `der` are zero already. */
function writeInteger(
  der: Buffer,
  at: number,
  length: number,
  signature: Buffer,
  end: number,
): void {
  der[at] = 0x02;
  der[at + 1] = length;
  const digits = Math.min(length, signature.length / 2);
  signature.copy(der, at + 2 + length - digits, end - digits, end);
}
