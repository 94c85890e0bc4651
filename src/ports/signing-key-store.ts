import type { AuditEvent } from '../domain/audit-event.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/**
 * The stages of a key, in order. Announced: published, does not sign yet. Retired: no longer signs,
 * published until its last token has expired.
 */
export const stages = ['announced', 'active', 'retired', 'removed'] as const;
export type Stage = (typeof stages)[number];

/**
 * What a key signs. `issuer`: tokens and the issuer's other documents. `gateway`: assertions for
 * the upstreams of gateways, with separate keys, so that none passes for a token.
 */
export const signingKeyPurposes = ['issuer', 'gateway'] as const;
export type SigningKeyPurpose = (typeof signingKeyPurposes)[number];

/** Stands in for a predecessor on the first key of a purpose and algorithm. */
export function beginningOf(purpose: SigningKeyPurpose, alg: string): string {
  return purpose === 'issuer' ? alg : `${purpose} ${alg}`;
}

/**
 * A signing key as stored: the private JWK only as a compact JWE (RFC 7516), encrypted with the
 * key-encryption key. Times in milliseconds since the epoch.
 */
export interface StoredSigningKey {
  readonly kid: string;
  readonly alg: AccessTokenSigningAlgorithm;
  readonly purpose: SigningKeyPurpose;
  /** Public JWK as JSON text. */
  readonly publicJwk: string;
  /** Private JWK as a compact JWE. */
  readonly privateJwe: string;
  readonly createdAt: number;
  /** The time from which it signs; it is published earlier. */
  readonly activeAt: number;
  /** Time of its compromise: it leaves the JWK Set, and everything that it signed is inactive. */
  readonly revokedAt?: number;
  /**
   * `kid` of its predecessor, whatever the state of that one; absent for the first of its purpose
   * and algorithm.
   */
  readonly predecessor?: string;
  /** The last stage that the audit trail has recorded. */
  readonly recordedStage: Stage;
}

/** A row that cannot be read as a key but keeps its place in the succession. */
export interface DamagedSigningKey {
  readonly kid: string;
  /** `kid` of its predecessor, or `beginningOf` its succession if it was the first. */
  readonly follows: string | undefined;
  readonly fault: Error;
}

/** A key to store. */
export interface NewSigningKey extends Omit<StoredSigningKey, 'recordedStage' | 'revokedAt'> {
  /** Id of the key-encryption key that sealed `privateJwe`. */
  readonly sealedBy: string;
}

export interface SigningKeyStore {
  /**
   * All keys, oldest first, with unreadable ones separate, and the database's time at this reading
   * (milliseconds since the epoch).
   */
  listSigningKeys(): Promise<{
    readonly keys: readonly StoredSigningKey[];
    readonly damaged: readonly DamagedSigningKey[];
    readonly databaseTime: number;
  }>;
  /**
   * Adds the key after its predecessor, or as the first of its succession, and records the event;
   * of concurrent calls with one predecessor, one wins (one transaction, `on conflict do nothing`).
   * `sealed_anew`: not added, because the key-encryption key has changed.
   */
  addSigningKey(key: NewSigningKey, event: AuditEvent): Promise<'added' | 'taken' | 'sealed_anew'>;
  /**
   * Lets an announced key sign earlier and records the event, in one transaction. It does and
   * records nothing if the time is later or the key has been revoked.
   */
  advanceSigningKey(kid: string, activeAt: number, event: AuditEvent): Promise<void>;
  /**
   * Marks the key as compromised and records the event, in one transaction; returns false if there
   * is no such key or it was already marked.
   */
  revokeSigningKey(kid: string, at: number, event: AuditEvent): Promise<boolean>;
  /** Records a key's new stage, in one transaction; of concurrent calls, one succeeds. */
  recordStage(kid: string, from: Stage, to: Stage, events: readonly AuditEvent[]): Promise<void>;
}

/** Name of the secrets that the server's nonces are derived from, all in one sealed value. */
export const nonceSecretName = 'dpop_nonce_secret';
/** Name of the id of the key-encryption key in force. */
export const keyInForceName = 'key_encryption_key';

/**
 * Named secrets that all replicas share (`dpop_nonce_secret`, sealed; `admin_token_hash`;
 * `key_encryption_key`, an id only).
 */
export interface SharedSecretStore {
  getSecret(name: string): Promise<string | undefined>;
  /** Stores the value unless the name is taken, and returns the stored value. */
  putSecretOnce(name: string, value: string): Promise<string>;
}

/** A sealed value that replaces another. */
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
   * Makes the whole change and records it in the audit trail, in one transaction. Returns false and
   * changes nothing if anything differs from what the change expects (another key in force, another
   * sealed value, an additional signing key).
   */
  changeKeyEncryptionKey(change: KeyEncryptionChange): Promise<boolean>;
}
