import { type KeyObject, sign, verify } from 'node:crypto';
import { jwsAlgorithms, type SigningAlgorithm } from './algorithms.ts';
import { ecdsaFromDer, ecdsaToDer } from './ecdsa-der.ts';

// Signatures use `node:crypto` rather than jose, which takes twice as long. ECDSA uses DER because
// `dsaEncoding: 'ieee-p1363'` takes 50% longer.

/** The JWS signature of `input` (RFC 7518 §3, RFC 8037 §3.1, RFC 9964 §4). */
export function signInput(alg: SigningAlgorithm, key: KeyObject, input: Buffer): Buffer {
  const { hash, options, signatureBytes = 0, key: type } = jwsAlgorithms[alg];
  const signature = sign(hash, input, options === undefined ? key : { key, ...options });
  return type.kty === 'EC' ? ecdsaFromDer(signature, signatureBytes) : signature;
}

/** Whether this is a signature of `input` by `key`, which must be one for `alg`. Never throws. */
export function verifySignature(
  alg: SigningAlgorithm,
  key: KeyObject,
  input: Buffer,
  signature: Buffer,
): boolean {
  const { hash, options, signatureBytes, key: type } = jwsAlgorithms[alg];
  if (signatureBytes !== undefined && signature.length !== signatureBytes) return false;
  try {
    const forNode = type.kty === 'EC' ? ecdsaToDer(signature) : signature;
    return verify(hash, input, options === undefined ? key : { key, ...options }, forNode);
  } catch {
    return false;
  }
}
