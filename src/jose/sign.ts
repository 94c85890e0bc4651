import { constants, type KeyObject, sign } from 'node:crypto';
import type { AccessTokenSigningAlgorithm } from './algorithms.ts';

/**
 * Signs as a JWS does (RFC 7518 §3, RFC 8037 §3.1, RFC 9964). Leaves jose for `node:crypto`, as the verification does: half the time or less,
 * and with DER from OpenSSL, whose conversion here costs less than its own.
 */
export async function signInput(
  alg: AccessTokenSigningAlgorithm,
  key: KeyObject,
  input: Buffer,
): Promise<Buffer> {
  switch (alg) {
    case 'ES256':
      return concatenated(sign('sha256', input, key), 32);
    case 'RS256':
      return sign('sha256', input, key);
    case 'PS256':
      return sign('sha256', input, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: 32,
      });
    case 'EdDSA':
    case 'Ed25519':
    case 'ML-DSA-65':
      return sign(null, input, key);
  }
}

/** An ECDSA signature in DER (two short INTEGERs in a SEQUENCE, RFC 3279 §2.2.3) as r‖s, each of `size` octets (RFC 7518 §3.4). */
export function concatenated(der: Buffer, size: number): Buffer {
  const result = Buffer.alloc(2 * size);
  // SEQUENCE and its length, one octet each for curves of 256 bits.
  const rLength = der[3] ?? 0;
  const s = 4 + rLength;
  const sLength = der[s + 1] ?? 0;
  copyInteger(der, 4, rLength, result, size);
  copyInteger(der, s + 2, sLength, result, 2 * size);
  return result;
}

/** Right-aligned before `end`, without the zero octet that keeps an INTEGER positive. */
function copyInteger(
  der: Buffer,
  start: number,
  length: number,
  result: Buffer,
  end: number,
): void {
  const skip = Math.max(length - result.length / 2, 0);
  der.copy(result, end - (length - skip), start + skip, start + length);
}
