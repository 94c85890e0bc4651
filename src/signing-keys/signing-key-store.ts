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

export interface SigningKeyStore {
  /** All keys, oldest first. */
  listSigningKeys(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds the key after its predecessor, or as the first of its algorithm; of concurrent calls with one predecessor one wins
   * (one statement, `on conflict do nothing`). Answers whether this one did.
   */
  addSigningKey(key: StoredSigningKey): Promise<boolean>;
  /** Lets an announced key sign earlier; never later. */
  advanceSigningKey(kid: string, activeAt: number): Promise<void>;
  /** Marks the key as compromised; answers false when there is no such key, or it was marked before. */
  revokeSigningKey(kid: string, at: number): Promise<boolean>;
}

/** Named secrets that all replicas share (`dpop_nonce_secret`, sealed; `admin_token_hash`). */
export interface SharedSecretStore {
  getSecret(name: string): Promise<string | undefined>;
  /** Stores the value unless the name is taken, and answers the value that stands. One statement plus a read. */
  putSecretOnce(name: string, value: string): Promise<string>;
}
