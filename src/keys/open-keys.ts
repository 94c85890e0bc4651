import type { JWK } from 'jose';
import type { SigningKey } from '../domain/signing-key.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import type { DamagedSigningKey, StoredSigningKey } from '../ports/signing-key-store.ts';
import { openKey } from './generate-key.ts';
import { type KeyEncryption, KeyEncryptionError, placeOfSigningKey } from './key-encryption.ts';

/** A key whose halves belong together; no other key is published or used. */
interface OpenKey {
  /** The place that the sealed half names; a row changed since then is opened again. */
  readonly place: string;
  readonly handle: SigningKey;
  readonly publicJwk: JWK;
  readonly publicKey: PublicKey;
}

/** Opens stored keys, each once, and holds them by their `kid`. */
export function openKeys(encryption: KeyEncryption) {
  const open = new Map<string, OpenKey>();
  const sealed = new Map<string, KeyEncryptionError>();
  return {
    get: (kid: string): OpenKey | undefined => open.get(kid),
    /** Why the key cannot be opened, if it cannot. */
    fault: (kid: string): KeyEncryptionError | undefined => sealed.get(kid),
    async open(keys: readonly StoredSigningKey[]): Promise<void> {
      for (const key of keys) {
        const place = placeOfSigningKey(key);
        if (open.get(key.kid)?.place === place) continue;
        open.delete(key.kid);
        // A key that cannot be opened affects no other, so revocations are still seen. It is not
        // published, because its public half may come from anybody who can write to the database.
        const result = await opened(key, encryption);
        if (result instanceof KeyEncryptionError) sealed.set(key.kid, result);
        else {
          open.set(key.kid, { ...result, place });
          sealed.delete(key.kid);
        }
      }
    },
  };
}

/** The error of a row that cannot be read as a key; it says what to do. */
export const damagedKey = ({ kid, fault }: DamagedSigningKey): KeyEncryptionError =>
  new KeyEncryptionError(
    `The row ${kid} of signing_key is damaged: it signs nothing here and is not published. Restore it from a backup.`,
    { cause: fault },
  );

async function opened(
  key: StoredSigningKey,
  encryption: KeyEncryption,
): Promise<Omit<OpenKey, 'place'> | KeyEncryptionError> {
  try {
    const handle = await openKey(key, encryption);
    const publicJwk = JSON.parse(key.publicJwk) as JWK;
    return { handle, publicJwk, publicKey: readPublicKey(publicJwk) };
  } catch (cause) {
    // A fault in a row concerns that row alone.
    return new KeyEncryptionError(
      `The signing key ${key.kid} (${key.alg}) cannot be opened: it signs nothing here and is not published. If another replica has a new key-encryption key, start this one with it; if the row is damaged or somebody else put it there, rotate ${key.alg} with "immediately" and revoke ${key.kid}.`,
      { cause },
    );
  }
}
