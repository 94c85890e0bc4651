import { createHash, type KeyObject } from 'node:crypto';
import {
  jwsAlgorithms,
  type KeyType,
  type SigningAlgorithm,
  signingAlgorithms,
} from './algorithms.ts';
import { JoseError } from './jose-error.ts';
import { readKeyMembers } from './key-types.ts';
import { asPublicJwk, checkMembers, importKey, type UngatedJwk } from './public-members.ts';

/** A public JWK with only the required members, in the order of RFC 7638 §3.2. */
export type PublicJwk = Readonly<Record<string, string>>;

/** A checked public signature key. */
export interface PublicKey {
  readonly jwk: PublicJwk;
  /** RFC 7638 SHA-256 thumbprint, base64url, 43 characters. */
  readonly jkt: string;
  readonly keyObject: KeyObject;
  /** Algorithms that this key may sign with. */
  readonly algs: readonly SigningAlgorithm[];
  readonly kid?: string;
  /** Registered certificate chain, base64 DER, leaf first (RFC 7517 §4.7); not parsed yet. */
  readonly x5c?: readonly string[];
}

const signatureKeys = [...new Set(signingAlgorithms.map((alg) => jwsAlgorithms[alg].key))];

/**
 * Checks every public signature key from outside. JOSE libraries would accept exponent 1,
 * small-order points and two spellings of one key. Throws JoseError.
 */
export function readPublicKey(value: unknown): PublicKey {
  const jwk = asPublicJwk(value);
  const { type, required } = readKeyMembers(jwk, signatureKeys);
  checkMembers(jwk, required);
  checkPurpose(jwk);
  const fitting = algsFor(jwk, type);
  return {
    jwk: required,
    jkt: createHash('sha256').update(JSON.stringify(required)).digest('base64url'),
    keyObject: importKey(required),
    algs: fitting,
    ...(typeof jwk['kid'] === 'string' && { kid: jwk['kid'] }),
    ...(Array.isArray(jwk['x5c']) && { x5c: jwk['x5c'] as string[] }),
  };
}

function checkPurpose(jwk: UngatedJwk): void {
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig')
    throw new JoseError('not_for_signatures', 'use');
  if (
    Array.isArray(jwk['key_ops']) &&
    !(jwk['key_ops'].length === 1 && jwk['key_ops'][0] === 'verify')
  )
    throw new JoseError('not_for_signatures', 'key_ops');
}

function algsFor(jwk: UngatedJwk, type: KeyType): readonly SigningAlgorithm[] {
  const algs = signingAlgorithms.filter((alg) => jwsAlgorithms[alg].key === type);
  if (jwk['alg'] === undefined) return algs;
  const named = algs.filter((alg) => alg === jwk['alg']);
  if (named.length === 0) throw new JoseError('alg_key_mismatch', 'alg');
  return named;
}
