import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/** A signing key as stored: the private JWK only as a compact JWE (RFC 7516) under the key-encryption key. Times in milliseconds since the epoch. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly alg: AccessTokenSigningAlgorithm;
  /** Public JWK as JSON text. */
  readonly publicJwk: string;
  /** Private JWK as a compact JWE. */
  readonly privateJwe: string;
  readonly createdAt: number;
  /** Signs from this time on; published before. */
  readonly activeAt: number;
  /** Compromised since then: out of the JWK Set, and everything that it signed is inactive. */
  readonly revokedAt?: number;
  /** `kid` of the key that it came after, whatever became of that one; absent from the first of its algorithm. */
  readonly predecessor?: string;
}

/** A key that is to be stored. */
export interface NewSigningKey extends StoredSigningKey {
  /** Id of the key-encryption key that sealed `privateJwe`. */
  readonly sealedBy: string;
}

export interface SigningKeyStore {
  /** All keys, oldest first. */
  listSigningKeys(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds the key after its predecessor, or as the first of its algorithm; of concurrent calls with one predecessor one wins
   * (one statement, `on conflict do nothing`). `sealed_anew`: not added, because by now another key-encryption key is in force.
   */
  addSigningKey(key: NewSigningKey): Promise<'added' | 'taken' | 'sealed_anew'>;
  /** Lets an announced key sign earlier; never later. */
  advanceSigningKey(kid: string, activeAt: number): Promise<void>;
  /** Marks the key as compromised; answers false when there is no such key, or it was marked before. */
  revokeSigningKey(kid: string, at: number): Promise<boolean>;
}

/** Name of the shared secret that makes the server's nonces; sealed. */
export const nonceSecretName = 'dpop_nonce_secret';
/** Name under which the id of the key-encryption key in force stands. */
export const keyInForceName = 'key_encryption_key';

/** Named secrets that all replicas share (`dpop_nonce_secret`, sealed; `admin_token_hash`; `key_encryption_key`, an id only). */
export interface SharedSecretStore {
  getSecret(name: string): Promise<string | undefined>;
  /** Stores the value unless the name is taken, and answers the value that stands. One statement plus a read. */
  putSecretOnce(name: string, value: string): Promise<string>;
}

/** One sealed value in place of another. */
export interface Resealed {
  /** `kid` of a signing key, or name of a shared secret. */
  readonly of: string;
  readonly from: string;
  readonly to: string;
}

/** A change of the key-encryption key: everything that is sealed, before and after. */
export interface KeyEncryptionChange {
  readonly fromKey: string;
  readonly toKey: string;
  readonly signingKeys: readonly Resealed[];
  readonly sharedSecrets: readonly Resealed[];
}

export interface KeyEncryptionStore {
  /**
   * Makes the whole change and records it in the audit trail, in one transaction; answers false, and changes nothing, when anything is no longer
   * as the change supposes (another key in force, another sealed value, one signing key more).
   */
  changeKeyEncryptionKey(change: KeyEncryptionChange): Promise<boolean>;
}
