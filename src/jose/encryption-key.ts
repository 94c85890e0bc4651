import { createPrivateKey, diffieHellman, type KeyObject } from 'node:crypto';
import { encryptionKeyTypes, type KeyManagementAlgorithm } from './algorithms.ts';
import { JoseError } from './jose-error.ts';
import { readKeyMembers } from './key-types.ts';
import { asPublicJwk, checkMembers, importKey } from './public-members.ts';

/** A checked public encryption key. */
export interface EncryptionKey {
  readonly keyObject: KeyObject;
  readonly alg: KeyManagementAlgorithm;
  readonly kid?: string;
}

/** Whether a JWK is an encryption key; `readPublicKey` checks all others. */
export function isForEncryption(jwk: unknown): boolean {
  return typeof jwk === 'object' && jwk !== null && 'use' in jwk && jwk.use === 'enc';
}

/** Checks a public encryption key: `use`, `alg`, `key_ops` and its members. Throws JoseError. */
export function readEncryptionKey(value: unknown): EncryptionKey {
  const jwk = asPublicJwk(value);
  if (jwk['use'] !== 'enc') throw new JoseError('not_for_encryption', 'use');
  const {
    type: { alg, keyOps, kty },
    required,
  } = readKeyMembers(jwk, encryptionKeyTypes);
  checkMembers(jwk, required);
  if (jwk['alg'] !== undefined && jwk['alg'] !== alg)
    throw new JoseError('alg_key_mismatch', 'alg');
  const ops = jwk['key_ops'];
  if (Array.isArray(ops) && !ops.every((op) => keyOps.includes(op as string)))
    throw new JoseError('not_for_encryption', 'key_ops');
  const keyObject = importKey(required);
  if (kty === 'OKP') refuseSmallOrder(keyObject);
  return { keyObject, alg, ...(typeof jwk['kid'] === 'string' && { kid: jwk['kid'] }) };
}

// A point of small order gives an all-zero secret with any private key, so that anybody could
// decrypt what is encrypted to it (RFC 7748 §6.1).
const anyPrivateKey = createPrivateKey({
  key: Buffer.concat([
    Buffer.from('302e020100300506032b656e04220420', 'hex'),
    Buffer.alloc(32, 0x55),
  ]),
  format: 'der',
  type: 'pkcs8',
});

function refuseSmallOrder(publicKey: KeyObject): void {
  try {
    diffieHellman({ privateKey: anyPrivateKey, publicKey });
  } catch (cause) {
    throw new JoseError('small_order', 'x', cause);
  }
}
