import { createPrivateKey, diffieHellman, type KeyObject } from 'node:crypto';
import { JoseError } from './jose-error.ts';
import { bytesOf, type KeyMembers, text } from './key-types.ts';
import { asPublicJwk, checkMembers, importKey, type UngatedJwk } from './public-members.ts';
import { checkRsaKey } from './rsa-key.ts';

/** How a symmetric key is encrypted to a recipient (RFC 7518 §4.3, §4.6.2). */
export type KeyManagementAlgorithm = 'ECDH-ES+A256KW' | 'RSA-OAEP-256';

/** A public encryption key that has passed its gate. */
export interface EncryptionKey {
  readonly keyObject: KeyObject;
  readonly alg: KeyManagementAlgorithm;
  readonly kid?: string;
}

interface EncryptionKeyType {
  readonly required: KeyMembers;
  readonly alg: KeyManagementAlgorithm;
  /** What the public key may be used for (RFC 7517 §4.3). */
  readonly keyOps: readonly string[];
}

const keyAgreement = { alg: 'ECDH-ES+A256KW', keyOps: ['deriveKey', 'deriveBits'] } as const;

const keyTypes: Readonly<Record<string, (jwk: UngatedJwk) => EncryptionKeyType>> = {
  EC(jwk) {
    const [crv, x, y] = [text(jwk, 'crv'), text(jwk, 'x'), text(jwk, 'y')];
    if (crv !== 'P-256') throw new JoseError('crv_unsupported', 'crv');
    bytesOf(x, 'x', 32);
    bytesOf(y, 'y', 32);
    return { required: { crv, kty: 'EC', x, y }, ...keyAgreement };
  },
  OKP(jwk) {
    const [crv, x] = [text(jwk, 'crv'), text(jwk, 'x')];
    if (crv !== 'X25519') throw new JoseError('crv_unsupported', 'crv');
    bytesOf(x, 'x', 32);
    return { required: { crv, kty: 'OKP', x }, ...keyAgreement };
  },
  RSA(jwk) {
    const [e, n] = [text(jwk, 'e'), text(jwk, 'n')];
    if (e !== 'AQAB') throw new JoseError('rsa_exponent', 'e');
    checkRsaKey(bytesOf(n, 'n'));
    return { required: { e, kty: 'RSA', n }, alg: 'RSA-OAEP-256', keyOps: ['encrypt', 'wrapKey'] };
  },
};

/** Whether a key is meant for encryption; all others are for signatures, and `jose/public-key.ts` is their gate. */
export function isForEncryption(jwk: unknown): boolean {
  return typeof jwk === 'object' && jwk !== null && 'use' in jwk && jwk.use === 'enc';
}

/** The gate for keys to encrypt to: public only, `use` is `enc`, and `alg` and `key_ops` do not contradict it. Throws JoseError. */
export function readEncryptionKey(value: unknown): EncryptionKey {
  const jwk = asPublicJwk(value);
  if (jwk['use'] !== 'enc') throw new JoseError('not_for_encryption', 'use');
  const type =
    typeof jwk['kty'] === 'string' && Object.hasOwn(keyTypes, jwk['kty'])
      ? keyTypes[jwk['kty']]
      : undefined;
  if (type === undefined) throw new JoseError('kty_unsupported', 'kty');
  const { required, alg, keyOps } = type(jwk);
  checkMembers(jwk, required);
  if (jwk['alg'] !== undefined && jwk['alg'] !== alg)
    throw new JoseError('alg_key_mismatch', 'alg');
  const ops = jwk['key_ops'];
  if (Array.isArray(ops) && !ops.every((op) => keyOps.includes(op as string)))
    throw new JoseError('not_for_encryption', 'key_ops');
  const keyObject = importKey(required);
  if (jwk['kty'] === 'OKP') refuseSmallOrder(keyObject);
  return { keyObject, alg, ...(typeof jwk['kid'] === 'string' && { kid: jwk['kid'] }) };
}

// Any private key will do: a point of small order gives a secret of zeros with each, and everybody could read what is encrypted to it (RFC 7748 §6.1).
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
