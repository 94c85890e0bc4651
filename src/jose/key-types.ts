import type { KeyType } from './algorithms.ts';
import { decodeBase64url } from './base64url.ts';
import { isSafeEd25519Point } from './ed25519-point.ts';
import { JoseError } from './jose-error.ts';
import { checkRsaKey } from './rsa-key.ts';

/** The required members of a public JWK, in the order of RFC 7638 §3.2. */
export type KeyMembers = Readonly<Record<string, string>>;

type Jwk = Readonly<Record<string, unknown>>;

/** The key's type, one of `allowed`, and its checked required members. Throws JoseError. */
export function readKeyMembers<Type extends KeyType>(
  jwk: Jwk,
  allowed: readonly Type[],
): { readonly type: Type; readonly required: KeyMembers } {
  const sameKty = allowed.filter(({ kty }) => kty === jwk['kty']);
  const kty = sameKty[0]?.kty;
  if (kty === undefined) throw new JoseError('kty_unsupported', 'kty');
  const name = { RSA: undefined, EC: 'crv', OKP: 'crv', AKP: 'alg' }[kty];
  const parameter = name && text(jwk, name);
  const type = sameKty.find((one) => one.parameter === parameter);
  if (type === undefined)
    throw new JoseError(name === 'alg' ? 'alg_unsupported' : 'crv_unsupported', name);
  return { type, required: readers[kty](jwk, type) };
}

const readers: Readonly<Record<KeyType['kty'], (jwk: Jwk, type: KeyType) => KeyMembers>> = {
  EC(jwk, { parameter: crv = '', bytes }) {
    return { crv, kty: 'EC', x: encoded(jwk, 'x', bytes), y: encoded(jwk, 'y', bytes) };
  },
  OKP(jwk, { parameter: crv = '', bytes }) {
    const x = encoded(jwk, 'x', bytes);
    if (crv === 'Ed25519' && !isSafeEd25519Point(Buffer.from(x, 'base64url')))
      throw new JoseError('small_order', 'x');
    return { crv, kty: 'OKP', x };
  },
  RSA(jwk) {
    const e = text(jwk, 'e');
    if (e !== 'AQAB') throw new JoseError('rsa_exponent', 'e');
    const n = encoded(jwk, 'n');
    checkRsaKey(Buffer.from(n, 'base64url'));
    return { e, kty: 'RSA', n };
  },
  AKP(jwk, { parameter: alg = '', bytes }) {
    return { alg, kty: 'AKP', pub: encoded(jwk, 'pub', bytes) };
  },
};

function text(jwk: Jwk, member: string): string {
  const value = Object.hasOwn(jwk, member) ? jwk[member] : undefined;
  if (typeof value !== 'string') throw new JoseError('member_invalid', member);
  return value;
}

/** A member in canonical base64url that encodes `length` bytes, or any number. */
function encoded(jwk: Jwk, member: string, length?: number): string {
  const value = text(jwk, member);
  const bytes = decodeBase64url(value);
  if (bytes === undefined || (length !== undefined && bytes.length !== length))
    throw new JoseError('coordinate_invalid', member);
  return value;
}
