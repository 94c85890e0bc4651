import {
  type KeyEncryptionStore,
  nonceSecretName,
  type Resealed,
  type SharedSecretStore,
  type SigningKeyStore,
} from '../ports/signing-key-store.ts';
import { type KeyEncryption, placeOfSecret, placeOfSigningKey } from './key-encryption.ts';
import { damagedKey } from './open-keys.ts';

export interface KeyEncryptionKeyOptions {
  readonly encryption: KeyEncryption;
  readonly signingKeys: SigningKeyStore;
  readonly secrets: SharedSecretStore;
  readonly changes: KeyEncryptionStore;
}

/** The key now in force, and how many values were sealed under it. */
export interface KeyEncryptionKeyChanged {
  readonly keyId: string;
  readonly signingKeys: number;
  readonly sharedSecrets: number;
}

/** The number of attempts; each fails if something changed before its commit. */
const tries = 10;

/**
 * Seals everything under the next key-encryption key in one transaction, unless this has been done.
 * `no_next_key`: the server was started without one. Throws KeyEncryptionError and changes nothing
 * if something cannot be opened.
 */
export async function changeKeyEncryptionKey(
  options: KeyEncryptionKeyOptions,
): Promise<KeyEncryptionKeyChanged | 'no_next_key'> {
  const { encryption, signingKeys, secrets, changes } = options;
  const { next } = encryption;
  if (next === undefined) return 'no_next_key';
  for (let tried = 0; tried < tries; tried++) {
    const fromKey = await encryption.inForce();
    if (fromKey === next) return { keyId: next, signingKeys: 0, sharedSecrets: 0 };
    const resealed = async (of: string, from: string, place: string): Promise<Resealed> => ({
      of,
      from,
      to: await encryption.seal(await encryption.open(from, place), next, place),
    });
    const nonceSecret = await secrets.getSecret(nonceSecretName);
    const { keys, damaged } = await signingKeys.listSigningKeys();
    if (damaged[0] !== undefined) throw damagedKey(damaged[0]);
    const change = {
      fromKey,
      toKey: next,
      signingKeys: await Promise.all(
        keys.map(async (key) => resealed(key.kid, key.privateJwe, placeOfSigningKey(key))),
      ),
      sharedSecrets:
        nonceSecret === undefined
          ? []
          : [await resealed(nonceSecretName, nonceSecret, placeOfSecret(nonceSecretName))],
    };
    if (await changes.changeKeyEncryptionKey(change))
      return {
        keyId: next,
        signingKeys: change.signingKeys.length,
        sharedSecrets: change.sharedSecrets.length,
      };
  }
  throw new Error('the sealed keys changed with every look');
}
