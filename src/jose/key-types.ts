import type { SigningAlgorithm } from './algorithms.ts';
import { decodeBase64url } from './base64url.ts';
import { isSafeEd25519Point } from './ed25519-point.ts';
import { JoseError } from './jose-error.ts';
import { checkRsaKey } from './rsa-key.ts';

/** Members of a public JWK in the order of RFC 7638 §3.2. */
export type KeyMembers = Readonly<Record<string, string>>;

interface KeyType {
  /** The required members, in lexicographic order. */
  readonly required: KeyMembers;
  readonly algs: readonly SigningAlgorithm[];
  /** What `node:crypto` imports, where that differs. */
  readonly importJwk?: KeyMembers;
}

type Jwk = Readonly<Record<string, unknown>>;

const curves: Readonly<
  Record<string, { readonly octets: number; readonly alg: SigningAlgorithm }>
> = {
  'P-256': { octets: 32, alg: 'ES256' },
  'P-384': { octets: 48, alg: 'ES384' },
};

/** Octets of an ML-DSA public key (FIPS 204 §4). */
const mlDsa: Readonly<Record<string, { readonly octets: number; readonly alg: SigningAlgorithm }>> =
  {
    'ML-DSA-44': { octets: 1312, alg: 'ML-DSA-44' },
    'ML-DSA-65': { octets: 1952, alg: 'ML-DSA-65' },
    'ML-DSA-87': { octets: 2592, alg: 'ML-DSA-87' },
  };

/** The key types that this server uses, each with the check of its own members. */
export const keyTypes: Readonly<Record<string, (jwk: Jwk) => KeyType>> = {
  EC(jwk) {
    const crv = text(jwk, 'crv');
    const curve = Object.hasOwn(curves, crv) ? curves[crv] : undefined;
    if (curve === undefined) throw new JoseError('crv_unsupported', 'crv');
    const [x, y] = [text(jwk, 'x'), text(jwk, 'y')];
    bytesOf(x, 'x', curve.octets);
    bytesOf(y, 'y', curve.octets);
    return { required: { crv, kty: 'EC', x, y }, algs: [curve.alg] };
  },
  OKP(jwk) {
    const crv = text(jwk, 'crv');
    if (crv !== 'Ed25519') throw new JoseError('crv_unsupported', 'crv');
    const x = text(jwk, 'x');
    if (!isSafeEd25519Point(bytesOf(x, 'x', 32))) throw new JoseError('small_order', 'x');
    return { required: { crv, kty: 'OKP', x }, algs: ['EdDSA', 'Ed25519'] };
  },
  RSA(jwk) {
    const [e, n] = [text(jwk, 'e'), text(jwk, 'n')];
    if (e !== 'AQAB') throw new JoseError('rsa_exponent', 'e');
    checkRsaKey(bytesOf(n, 'n'));
    return { required: { e, kty: 'RSA', n }, algs: ['PS256', 'RS256'] };
  },
  AKP(jwk) {
    const alg = text(jwk, 'alg');
    const known = Object.hasOwn(mlDsa, alg) ? mlDsa[alg] : undefined;
    if (known === undefined) throw new JoseError('alg_unsupported', 'alg');
    const pub = text(jwk, 'pub');
    bytesOf(pub, 'pub', known.octets);
    return { required: { alg, kty: 'AKP', pub }, algs: [known.alg] };
  },
};

/** The member as text. Throws JoseError. */
export function text(jwk: Jwk, member: string): string {
  const value = Object.hasOwn(jwk, member) ? jwk[member] : undefined;
  if (typeof value !== 'string') throw new JoseError('member_invalid', member);
  return value;
}

/** Strict base64url of so many octets. Throws JoseError. */
export function bytesOf(value: string, member: string, length?: number): Buffer {
  const octets = decodeBase64url(value);
  if (octets === undefined || (length !== undefined && octets.length !== length))
    throw new JoseError('coordinate_invalid', member);
  return octets;
}
