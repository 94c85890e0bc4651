import { KeyObject } from 'node:crypto';
import type { CryptoKey, JWK } from 'jose';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { exportJWK } from 'jose/key/export';
import { generateKeyPair } from 'jose/key/generate/keypair';
import { importJWK } from 'jose/key/import';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { signInput } from '../jose/sign.ts';
import type { KeyEncryption } from './key-encryption.ts';
import type { SigningKey } from './signing-key.ts';
import type { NewSigningKey, StoredSigningKey } from './signing-key-store.ts';

/** A new key pair, its private half sealed. `kid` is the RFC 7638 thumbprint. Times in milliseconds since the epoch. */
export async function makeKey(
  alg: AccessTokenSigningAlgorithm,
  encryption: KeyEncryption,
  life: Pick<StoredSigningKey, 'createdAt' | 'activeAt' | 'predecessor'>,
): Promise<NewSigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, {
    extractable: true,
    modulusLength: 3072,
  });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const sealedBy = await encryption.inForce();
  return {
    kid,
    alg,
    publicJwk: JSON.stringify({ ...publicJwk, kid, alg, use: 'sig' }),
    privateJwe: await encryption.seal(
      JSON.stringify({ ...(await exportJWK(privateKey)), alg }),
      sealedBy,
    ),
    sealedBy,
    ...life,
  };
}

/** A handle on a stored key. Throws KeyEncryptionError when it cannot be opened. */
export async function openKey(
  { kid, alg, privateJwe }: StoredSigningKey,
  encryption: KeyEncryption,
): Promise<SigningKey> {
  const privateKey = KeyObject.from(
    (await importJWK(JSON.parse(await encryption.open(privateJwe)) as JWK, alg, {
      extractable: true,
    })) as CryptoKey,
  );
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  // One for each type of token that this key has signed, and there are few.
  const headers = new Map<string, string>();
  const headerOf = (typ: string) => {
    const known = headers.get(typ) ?? encoded({ alg, kid, typ });
    headers.set(typ, known);
    return known;
  };
  return {
    kid,
    alg,
    async signJwt(typ, claims) {
      const input = `${headerOf(typ)}.${encoded(claims)}`;
      return `${input}.${(await signInput(alg, privateKey, Buffer.from(input, 'latin1'))).toString('base64url')}`;
    },
  };
}
