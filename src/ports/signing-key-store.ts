import type { AuditEvent } from '../domain/audit-event.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/**
 * The stages of a key, in order. Announced: published, does not sign yet. Retired: no longer signs,
 * published until its last token has expired.
 */
export const stages = ['announced', 'active', 'retired', 'removed'] as const;
export type Stage = (typeof stages)[number];

/**
 * What a key signs. `issuer`: tokens, and all else that the issuer says. `gateway`: assertions for
 * the upstreams of gateways, by keys of their own, so that none of them passes for a token.
 */
export const signingKeyPurposes = ['issuer', 'gateway'] as const;
export type SigningKeyPurpose = (typeof signingKeyPurposes)[number];

/** Stands in for a predecessor on the first key of a purpose and algorithm. */
export function beginningOf(purpose: SigningKeyPurpose, alg: string): string {
  return purpose === 'issuer' ? alg : `${purpose} ${alg}`;
}

/**
 * A signing key as stored: the private JWK only as a compact JWE (RFC 7516) under the
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
  /** The time from which it signs; it is published before. */
  readonly activeAt: number;
  /** Compromised since then: out of the JWK Set, and everything that it signed is inactive. */
  readonly revokedAt?: number;
  /**
   * `kid` of the key that it came after, whatever became of that one; absent from the first of its
   * purpose and algorithm.
   */
  readonly predecessor?: string;
  /** The last stage that the audit trail has recorded. */
  readonly recordedStage: Stage;
}

/** A row that cannot be read as a key; it keeps its place in the succession. */
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
   * All keys, oldest first, those that cannot be read apart, and the database's time at this
   * reading (milliseconds since the epoch).
   */
  listSigningKeys(): Promise<{
    readonly keys: readonly StoredSigningKey[];
    readonly damaged: readonly DamagedSigningKey[];
    readonly databaseTime: number;
  }>;
  /**
   * Adds the key after its predecessor, or as the first of its succession, and records the event;
   * of concurrent calls with one predecessor one wins (one transaction, `on conflict do nothing`).
   * `sealed_anew`: not added, because by now another key-encryption key is in force.
   */
  addSigningKey(key: NewSigningKey, event: AuditEvent): Promise<'added' | 'taken' | 'sealed_anew'>;
  /**
   * Lets an announced key sign earlier and records the event, in one transaction; never later, nor
   * one that is revoked by now, and then nothing is recorded.
   */
  advanceSigningKey(kid: string, activeAt: number, event: AuditEvent): Promise<void>;
  /**
   * Marks the key as compromised and records the event, in one transaction; answers false when
   * there is no such key, or it was marked before.
   */
  revokeSigningKey(kid: string, at: number, event: AuditEvent): Promise<boolean>;
  /** Records what became of a key, in one transaction; of concurrent calls only one does. */
  recordStage(kid: string, from: Stage, to: Stage, events: readonly AuditEvent[]): Promise<void>;
}

/** Name under which the secrets that make the server's nonces stand, all in one sealed value. */
export const nonceSecretName = 'dpop_nonce_secret';
/** Name under which the id of the key-encryption key in force stands. */
export const keyInForceName = 'key_encryption_key';

/**
 * Named secrets that all replicas share (`dpop_nonce_secret`, sealed; `admin_token_hash`;
 * `key_encryption_key`, an id only).
 */
export interface SharedSecretStore {
  getSecret(name: string): Promise<string | undefined>;
  /** Stores the value unless the name is taken, and answers the value that stands. */
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
   * Makes the whole change and records it in the audit trail, in one transaction; answers false,
   * and changes nothing, when anything is no longer as the change supposes (another key in force,
   * another sealed value, one signing key more).
   */
  changeKeyEncryptionKey(change: KeyEncryptionChange): Promise<boolean>;
}
