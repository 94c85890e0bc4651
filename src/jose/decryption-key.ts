import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { KeyManagementAlgorithm } from './algorithms.ts';
import { readEncryptionKey } from './encryption-key.ts';
import { JoseError } from './jose-error.ts';

/** A private key that decrypts symmetric keys. */
export interface DecryptionKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly alg: KeyManagementAlgorithm;
  readonly kid?: string;
}

/**
 * Reads a private JWK (RFC 7518 §6.2.2, §6.3.2; RFC 8037 §2) and checks its public part as
 * `readEncryptionKey` does. Throws JoseError.
 */
export function readDecryptionKey(jwk: Readonly<Record<string, unknown>>): DecryptionKey {
  const { d, p, q, dp, dq, qi, key_ops: _, ...members } = jwk;
  const { alg, keyObject, kid } = readEncryptionKey({ use: 'enc', ...members });
  if (typeof d !== 'string') throw new JoseError('private_member_missing', 'd');
  const rest = Object.fromEntries(
    Object.entries({ p, q, dp, dq, qi }).filter(([, value]) => value !== undefined),
  );
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: { ...members, d, ...rest } as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw new JoseError('member_invalid', 'd', cause);
  }
  if (!createPublicKey(privateKey).equals(keyObject)) throw new JoseError('member_invalid', 'd');
  return { privateKey, publicKey: keyObject, alg, ...(kid !== undefined && { kid }) };
}
