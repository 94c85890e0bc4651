import { base64url } from './base64url.ts';
import type { HolderKey } from './keys/holder-key.ts';

const encoder = new TextEncoder();

/** A JWT in compact form (RFC 7515 §7.1), with the key's `alg`; undefined members are left out. */
export async function signedJwt(
  header: object,
  claims: object,
  key: Pick<HolderKey, 'alg' | 'sign'>,
): Promise<string> {
  const input = [{ alg: key.alg, ...header }, claims]
    .map((part) => base64url(JSON.stringify(part)))
    .join('.');
  return `${input}.${base64url(await key.sign(encoder.encode(input)))}`;
}
