import { KeyObject } from 'node:crypto';
import type { CryptoKey, JWK } from 'jose';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { exportJWK } from 'jose/key/export';
import { generateKeyPair } from 'jose/key/generate/keypair';
import { importJWK } from 'jose/key/import';
import type { SigningKey } from '../domain/signing-key.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { signInput } from '../jose/signature.ts';
import type { NewSigningKey, StoredSigningKey } from '../ports/signing-key-store.ts';
import { type KeyEncryption, KeyEncryptionError, placeOfSigningKey } from './key-encryption.ts';

/** Generates a key pair with a sealed private half; `kid` is the thumbprint. In milliseconds. */
export async function generateKey(
  alg: AccessTokenSigningAlgorithm,
  encryption: KeyEncryption,
  life: Pick<StoredSigningKey, 'purpose' | 'createdAt' | 'activeAt' | 'predecessor'>,
): Promise<NewSigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, {
    extractable: true,
    modulusLength: 3072,
  });
  const exported = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(exported);
  const published = {
    kid,
    alg,
    purpose: life.purpose,
    publicJwk: JSON.stringify({ ...exported, kid, alg, use: 'sig' }),
  };
  const sealedBy = await encryption.inForce();
  return {
    ...published,
    privateJwe: await encryption.seal(
      JSON.stringify({ ...(await exportJWK(privateKey)), alg }),
      sealedBy,
      placeOfSigningKey(published),
    ),
    sealedBy,
    ...life,
  };
}

/**
 * A handle on a stored key. Throws KeyEncryptionError if it cannot be opened, or if its private
 * half does not belong to the key in the row.
 */
export async function openKey(
  stored: Pick<StoredSigningKey, 'kid' | 'alg' | 'purpose' | 'publicJwk' | 'privateJwe'>,
  encryption: KeyEncryption,
): Promise<SigningKey> {
  const { kid, alg } = stored;
  const text = await encryption.open(stored.privateJwe, placeOfSigningKey(stored));
  const privateJwk = JSON.parse(text) as JWK;
  const thumbprints = [privateJwk, JSON.parse(stored.publicJwk) as JWK].map(async (jwk) =>
    calculateJwkThumbprint(jwk),
  );
  if ((await Promise.all(thumbprints)).some((thumbprint) => thumbprint !== kid))
    throw new KeyEncryptionError(`The halves of the signing key ${kid} do not belong together.`);
  const privateKey = KeyObject.from(
    (await importJWK(privateJwk, alg, { extractable: true })) as CryptoKey,
  );
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    kid,
    alg,
    async signJwt(typ, claims) {
      const input = `${encoded({ alg, kid, typ })}.${encoded(claims)}`;
      return `${input}.${signInput(alg, privateKey, Buffer.from(input, 'latin1')).toString('base64url')}`;
    },
  };
}
