import { randomBytes } from 'node:crypto';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import type { ClientConfirmation, SymmetricJwk } from '../../domain/binding.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import {
  type EncryptionKey,
  isForEncryption,
  readEncryptionKey,
} from '../../jose/encryption-key.ts';
import { JoseError } from '../../jose/jose-error.ts';

/** One new key in two forms: encrypted to the resource server for the token, and for the client. */
export interface SymmetricConfirmation {
  readonly cnf: { readonly jwe: string };
  readonly cnfForClient: ClientConfirmation;
}

/** The key that symmetric keys are encrypted to: the first in `jwks`, after an opt-in. */
export function resourceServerEncryptionKey({
  symmetric_keys_enabled,
  jwks,
}: ResourceServer): EncryptionKey | undefined {
  if (symmetric_keys_enabled !== true) return undefined;
  for (const jwk of jwks?.keys.filter(isForEncryption) ?? []) {
    try {
      return readEncryptionKey(jwk);
    } catch (fault) {
      if (!(fault instanceof JoseError)) throw fault;
    }
  }
  return undefined;
}

/** Generates a 256-bit key for one token (RFC 7800 §3.3); only token and response contain it. */
export async function jwe(
  resourceServer: EncryptionKey,
  client: EncryptionKey | undefined,
): Promise<SymmetricConfirmation> {
  const jwk: SymmetricJwk = {
    kty: 'oct',
    alg: 'HS256',
    kid: randomBytes(12).toString('base64url'),
    k: randomBytes(32).toString('base64url'),
  };
  const cnf = { jwe: await encrypted(jwk, resourceServer) };
  return {
    cnf,
    cnfForClient: client === undefined ? { jwk } : { jwe: await encrypted(jwk, client) },
  };
}

/** Encrypts a JWK (RFC 7517 §7). */
async function encrypted(
  jwk: SymmetricJwk,
  { keyObject, alg, kid }: EncryptionKey,
): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(jwk)))
    .setProtectedHeader({ alg, enc: 'A256GCM', cty: 'jwk+json', ...(kid !== undefined && { kid }) })
    .encrypt(keyObject);
}
