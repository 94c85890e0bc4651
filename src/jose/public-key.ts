import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { SigningAlgorithm } from './algorithms.ts';
import { JoseFault } from './jose-fault.ts';
import { type KeyMembers, keyTypes } from './key-types.ts';

/** A public JWK with the required members of its type and nothing else, in the order of RFC 7638 §3.2. */
export type PublicJwk = Readonly<Record<string, string>>;

/** A public signature key that has passed the gate. */
export interface PublicKey {
  readonly jwk: PublicJwk;
  /** RFC 7638 SHA-256 thumbprint, base64url, 43 characters. */
  readonly jkt: string;
  readonly keyObject: KeyObject;
  /** Algorithms that signatures by this key may have. */
  readonly algs: readonly SigningAlgorithm[];
  readonly kid?: string;
  /** Registered certificate chain, base64 DER, the leaf first (RFC 7517 §4.7); nobody has looked inside yet. */
  readonly x5c?: readonly string[];
}

const privateMembers: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']);

/** Checks of the members that any key may have (RFC 7517 §4). */
const optionalMembers: Readonly<Record<string, (value: unknown) => boolean>> = {
  kid: (value) => typeof value === 'string' && value !== '' && value.length <= 256,
  use: (value) => typeof value === 'string',
  alg: (value) => typeof value === 'string',
  key_ops: (value) => Array.isArray(value) && value.every((op) => typeof op === 'string') && new Set(value).size === value.length,
  x5c: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 10 &&
    value.every((item) => typeof item === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(item)),
  'x5t#S256': (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value),
};

/**
 * The one gate that every public key from outside passes. What a JOSE library accepts is not enough: exponent 1, small-order points and
 * two spellings of one key would pass there (SECURITY.md). Throws JoseFault.
 */
export function readPublicKey(value: unknown): PublicKey {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new JoseFault('not_an_object');
  const jwk = value as Readonly<Record<string, unknown>>;
  const privateMember = Object.keys(jwk).find((member) => privateMembers.has(member));
  if (privateMember !== undefined) throw new JoseFault('private_member', privateMember);
  const type = typeof jwk['kty'] === 'string' && Object.hasOwn(keyTypes, jwk['kty']) ? keyTypes[jwk['kty']] : undefined;
  if (type === undefined) throw new JoseFault('kty_unsupported', 'kty');
  const { required, algs, importJwk } = type(jwk);
  checkMembers(jwk, required);
  const fitting = algsFor(jwk, algs);
  return {
    jwk: required,
    jkt: createHash('sha256').update(JSON.stringify(required)).digest('base64url'),
    keyObject: importKey(importJwk ?? required),
    algs: fitting,
    ...(typeof jwk['kid'] === 'string' && { kid: jwk['kid'] }),
    ...(Array.isArray(jwk['x5c']) && { x5c: jwk['x5c'] as string[] }),
  };
}

function checkMembers(jwk: Readonly<Record<string, unknown>>, required: KeyMembers): void {
  for (const [member, value] of Object.entries(jwk)) {
    if (Object.hasOwn(required, member)) continue;
    const check = Object.hasOwn(optionalMembers, member) ? optionalMembers[member] : undefined;
    if (check === undefined) throw new JoseFault('unknown_member', member);
    if (!check(value)) throw new JoseFault('member_invalid', member);
  }
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') throw new JoseFault('not_for_signatures', 'use');
  if (Array.isArray(jwk['key_ops']) && !(jwk['key_ops'].length === 1 && jwk['key_ops'][0] === 'verify'))
    throw new JoseFault('not_for_signatures', 'key_ops');
}

function algsFor(jwk: Readonly<Record<string, unknown>>, algs: readonly SigningAlgorithm[]): readonly SigningAlgorithm[] {
  if (jwk['alg'] === undefined) return algs;
  const named = algs.filter((alg) => alg === jwk['alg']);
  if (named.length === 0) throw new JoseFault('alg_key_mismatch', 'alg');
  return named;
}

// Point-on-curve is OpenSSL's check; whatever it throws, the key is refused.
function importKey(jwk: KeyMembers): KeyObject {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw new JoseFault('not_on_curve', undefined, cause);
  }
}
