import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/** A signing key as stored: the private JWK only as a compact JWE (RFC 7516) under the key-encryption key. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly alg: AccessTokenSigningAlgorithm;
  /** Public JWK as JSON text. */
  readonly publicJwk: string;
  /** Private JWK as a compact JWE. */
  readonly privateJwe: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface SigningKeyStore {
  /** All keys, oldest first. */
  listSigningKeys(): Promise<readonly StoredSigningKey[]>;
  /** Adds the key unless the algorithm already has one (one statement, `on conflict do nothing`); of concurrent calls one wins. Answers whether this one did. */
  addFirstSigningKey(key: StoredSigningKey): Promise<boolean>;
}

/** Named secrets that all replicas share (`dpop_nonce_secret`, sealed; `admin_token_hash`). */
export interface SharedSecretStore {
  getSecret(name: string): Promise<string | undefined>;
  /** Stores the value unless the name is taken, and answers the value that stands. One statement plus a read. */
  putSecretOnce(name: string, value: string): Promise<string>;
}
