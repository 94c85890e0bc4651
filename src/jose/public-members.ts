import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { JoseError } from './jose-error.ts';
import type { KeyMembers } from './key-types.ts';

/** An unchecked JWK. */
export type UngatedJwk = Readonly<Record<string, unknown>>;

const privateMembers: ReadonlySet<string> = new Set([
  'd',
  'p',
  'q',
  'dp',
  'dq',
  'qi',
  'oth',
  'k',
  'priv',
]);

/** Characters of a certificate chain; three ML-DSA-87 certificates take 30,000. */
const maxChain = 32_768;

/** Registered names have fewer than 20 characters. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64;
}

/** Checks of the members that any key may have (RFC 7517 §4). */
const optionalMembers: Readonly<Record<string, (value: unknown) => boolean>> = {
  kid: (value) => typeof value === 'string' && value !== '' && value.length <= 256,
  use: isName,
  alg: isName,
  key_ops: (value) =>
    Array.isArray(value) &&
    value.length <= 16 &&
    value.every(isName) &&
    new Set(value).size === value.length,
  x5c: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 10 &&
    value.join('').length <= maxChain &&
    value.every((item) => typeof item === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(item)),
  'x5t#S256': (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value),
};

/** Checks that a value is an object without private or symmetric members. Throws JoseError. */
export function asPublicJwk(value: unknown): UngatedJwk {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JoseError('not_an_object');
  const privateMember = Object.keys(value).find((member) => privateMembers.has(member));
  if (privateMember !== undefined) throw new JoseError('private_member', privateMember);
  return value as UngatedJwk;
}

/** Required members of the key types (RFC 7518 §6, RFC 8037 §2, RFC 9964 §3). */
const requiredMembers: ReadonlySet<string> = new Set(['kty', 'crv', 'x', 'y', 'n', 'e', 'pub']);

/** Optional members that are published (RFC 7517 §4). */
const membersOfUse: ReadonlySet<string> = new Set(['kid', 'use', 'alg', 'key_ops']);

/** A registered key as published: the key, its name and its use, without its certificate. */
export function forVerifiers(jwk: UngatedJwk): UngatedJwk {
  return Object.fromEntries(
    Object.entries(jwk).filter(
      ([member]) => requiredMembers.has(member) || membersOfUse.has(member),
    ),
  );
}

/**
 * A foreign JWK without its unknown members, which must be ignored (RFC 7517 §4): providers publish
 * `x5t` or `issuer`, and browsers export `ext`. Throws JoseError for private or symmetric members.
 */
export function withoutUnknownMembers(value: unknown): UngatedJwk {
  const known = (member: string) =>
    requiredMembers.has(member) || Object.hasOwn(optionalMembers, member);
  return Object.fromEntries(Object.entries(asPublicJwk(value)).filter(([member]) => known(member)));
}

/** Checks that members besides the required ones are known and well-formed. Throws JoseError. */
export function checkMembers(jwk: UngatedJwk, required: KeyMembers): void {
  for (const [member, value] of Object.entries(jwk)) {
    if (Object.hasOwn(required, member)) continue;
    const check = Object.hasOwn(optionalMembers, member) ? optionalMembers[member] : undefined;
    if (check === undefined) throw new JoseError('unknown_member', member);
    if (!check(value)) throw new JoseError('member_invalid', member);
  }
}

/** Imports a key; OpenSSL checks that the point is on the curve. Throws JoseError. */
export function importKey(jwk: KeyMembers): KeyObject {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw new JoseError('not_on_curve', undefined, cause);
  }
}
