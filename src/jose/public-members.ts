import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { JoseError } from './jose-error.ts';
import type { KeyMembers } from './key-types.ts';

/** A JWK that is still to be checked. */
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

/** Characters of a chain of certificates: three of ML-DSA-87 have 30,000, ten of RSA fewer. */
const maxChain = 32_768;

/** A registered name: the longest has fewer than 20 characters. */
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

/** The value as a JWK without private or symmetric members. Throws JoseError. */
export function asPublicJwk(value: unknown): UngatedJwk {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JoseError('not_an_object');
  const privateMember = Object.keys(value).find((member) => privateMembers.has(member));
  if (privateMember !== undefined) throw new JoseError('private_member', privateMember);
  return value as UngatedJwk;
}

/** Members that some type of public key requires (RFC 7518 §6, RFC 8037 §2, RFC 9964). */
const requiredMembers: ReadonlySet<string> = new Set(['kty', 'crv', 'x', 'y', 'n', 'e', 'pub']);

/** What a verifier may want to know of a key beside its required members (RFC 7517 §4). */
const membersOfUse: ReadonlySet<string> = new Set(['kid', 'use', 'alg', 'key_ops']);

/** A registered key as verifiers get it: the key, its name and its use. Its certificate is between the client and this server. */
export function forVerifiers(jwk: UngatedJwk): UngatedJwk {
  return Object.fromEntries(
    Object.entries(jwk).filter(
      ([member]) => requiredMembers.has(member) || membersOfUse.has(member),
    ),
  );
}

/**
 * A key that somebody else wrote, in a JWK Set, a proof or `req_cnf`, without the members that mean nothing here: those must be ignored (RFC 7517 §4).
 * Many providers publish some, such as `x5t` or `issuer`, and a browser exports each key with `ext`. Throws JoseError for private or symmetric members.
 */
export function withoutUnknownMembers(value: unknown): UngatedJwk {
  const known = (member: string) =>
    requiredMembers.has(member) || Object.hasOwn(optionalMembers, member);
  return Object.fromEntries(Object.entries(asPublicJwk(value)).filter(([member]) => known(member)));
}

/** Besides the required members of its type only members that any key may have, each well-formed. Throws JoseError. */
export function checkMembers(jwk: UngatedJwk, required: KeyMembers): void {
  for (const [member, value] of Object.entries(jwk)) {
    if (Object.hasOwn(required, member)) continue;
    const check = Object.hasOwn(optionalMembers, member) ? optionalMembers[member] : undefined;
    if (check === undefined) throw new JoseError('unknown_member', member);
    if (!check(value)) throw new JoseError('member_invalid', member);
  }
}

/** Imports the members. Point-on-curve is OpenSSL's check; whatever it throws, the key is refused. */
export function importKey(jwk: KeyMembers): KeyObject {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw new JoseError('not_on_curve', undefined, cause);
  }
}
