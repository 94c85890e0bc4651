import { sha256 } from '../base64url.ts';
import { HolderError } from '../holder-error.ts';

/** A public key (RFC 7517) with only the members that its type needs. */
export interface PublicJwk {
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly e?: string;
  readonly n?: string;
  /** Only for ML-DSA keys (`kty` AKP). */
  readonly alg?: string;
  readonly pub?: string;
}

/** Required members of each key type, in the order of RFC 7638 §3.2. */
const requiredMembers: Readonly<Record<string, readonly (keyof PublicJwk)[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  AKP: ['alg', 'kty', 'pub'],
  RSA: ['e', 'kty', 'n'],
};

/** The public part of a JWK with any other members. Throws HolderError. */
export function publicJwkOf(jwk: Readonly<Record<string, unknown>>): PublicJwk {
  const { kty } = jwk;
  const members = typeof kty === 'string' ? requiredMembers[kty] : undefined;
  if (members === undefined || members.some((member) => typeof jwk[member] !== 'string'))
    throw new HolderError('key_unavailable', 'the key is not an EC, OKP, AKP or RSA key');
  return Object.fromEntries(members.map((member) => [member, jwk[member]])) as unknown as PublicJwk;
}

/** RFC 7638 thumbprint by SHA-256. */
export async function thumbprintOf(jwk: PublicJwk): Promise<string> {
  return sha256(JSON.stringify(publicJwkOf({ ...jwk })));
}
