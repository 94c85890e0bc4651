import type { JWK } from 'jose';
import type { Clock } from '../domain/clock.ts';
import { databaseClock } from '../domain/database-clock.ts';
import { NoSigningKey, SigningKeyUnavailable } from '../domain/oauth-error.ts';
import type { SigningKey } from '../domain/signing-key.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { PublicKey } from '../jose/public-key.ts';
import type {
  SigningKeyPurpose,
  SigningKeyStore,
  StoredSigningKey,
} from '../ports/signing-key-store.ts';
import { type KeyEncryption, KeyEncryptionError } from './key-encryption.ts';
import { type KeyRing, keyRing } from './key-ring.ts';
import type { KeyWithState } from './key-states.ts';
import { latestKey, record, soonest, succeed } from './key-succession.ts';
import { revokeSigningKey } from './revoke-signing-key.ts';
import { type RotationTimes, rotateByHand, rotateOnSchedule } from './rotate-signing-keys.ts';

/** The server's signing keys of one purpose, shared by all replicas through the store. */
export interface SigningKeys {
  /**
   * The key that signs tokens with this algorithm, from a list that is at most seconds old. Throws
   * NoSigningKey, SigningKeyUnavailable, StoreUnavailable.
   */
  current(alg: AccessTokenSigningAlgorithm): Promise<SigningKey>;
  /** Algorithms in use with which this replica cannot sign, as last read from the store. */
  missing(): readonly AccessTokenSigningAlgorithm[];
  /** Creates the first key of an algorithm; of several replicas, one creates it and all use it. */
  ensure(alg: AccessTokenSigningAlgorithm): Promise<void>;
  /**
   * Published public keys as last read from the store; does not use the store. The same object
   * while nothing has changed.
   */
  publicJwks(): { readonly keys: readonly JWK[] };
  /**
   * A published key by its `kid` for verification, even if another replica has just created it.
   * Throws StoreUnavailable.
   */
  verificationKey(kid: string): Promise<PublicKey | undefined>;
  /**
   * Reads the store again for changes by other replicas, announces the successors that are due, and
   * records state changes. Then throws KeyEncryptionError if a key cannot be opened.
   */
  refresh(): Promise<void>;
  /** Every key with its state. */
  list(): Promise<readonly KeyWithState[]>;
  /**
   * Announces a successor that signs after `announcement` milliseconds or immediately. Of
   * concurrent calls, one creates it and all return it. Undefined: no key of this algorithm.
   */
  rotate(
    alg: AccessTokenSigningAlgorithm,
    options?: { readonly immediately?: boolean },
  ): Promise<StoredSigningKey | undefined>;
  /**
   * Removes a compromised key immediately and replaces it with a successor; false if there is no
   * such key or it was already revoked.
   */
  revoke(kid: string): Promise<boolean>;
}

/** Times in milliseconds. */
export interface SigningKeysOptions extends RotationTimes {
  readonly purpose: SigningKeyPurpose;
  readonly store: SigningKeyStore;
  readonly encryption: KeyEncryption;
  /** The clock of this machine; decisions that replicas must agree on use the database's clock. */
  readonly clock: Clock;
  /** How long a retired key stays published: until the last token that it signed has expired. */
  readonly published: number;
  /** Notifies the other processes on this machine of a change before it is reported as done. */
  readonly changed: () => Promise<void>;
}

/** Loads the signing keys. Throws KeyEncryptionError if none of them can be opened. */
export async function signingKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const shared = databaseClock(options.clock);
  const held = keyRing({ ...options, shared });
  const keys = { ...options, held, now: shared.now };
  await held.read();
  const unopened = held.unopened();
  if (unopened !== undefined && held.stored().every(({ kid }) => held.handle(kid) === undefined))
    throw unopened;
  return {
    async refresh() {
      await held.read();
      const sealed = held.unopened();
      // Without the key-encryption key in force, no successor can be created here; another replica
      // creates it. One damaged row prevents nobody from doing so.
      if (sealed === undefined || (await hasKeyInForce(options.encryption)))
        await rotateOnSchedule(keys);
      await record(keys);
      if (sealed !== undefined) throw sealed;
    },
    publicJwks: held.publicJwks,
    verificationKey: held.verificationKey,
    missing() {
      const algs = [...new Set(held.stored().map(({ alg }) => alg))];
      return algs.filter((alg) => held.handle(held.signing(alg)?.key.kid ?? '') === undefined);
    },
    current: async (alg) => currentKey(held, alg),
    async ensure(alg) {
      if (held.signing(alg) !== undefined) return;
      await succeed(keys, alg, keys.now());
      await record(keys);
      await options.changed();
    },
    async list() {
      await held.read();
      return held.states();
    },
    async rotate(alg, { immediately = false } = {}) {
      await held.read();
      if (latestKey(keys, alg) === undefined) return undefined;
      const activeAt = soonest(keys, alg) + (immediately ? 0 : options.announcement);
      const successor = await rotateByHand(keys, alg, activeAt);
      await record(keys);
      await options.changed();
      return successor();
    },
    async revoke(kid) {
      await held.read();
      try {
        return await revokeSigningKey(keys, kid);
      } finally {
        // Even after a fault: the key may be revoked although its successor could not be created.
        await options.changed();
      }
    },
  };
}

async function currentKey(held: KeyRing, alg: AccessTokenSigningAlgorithm): Promise<SigningKey> {
  await held.recent();
  if (held.signing(alg) === undefined) await held.read();
  const signing = held.signing(alg);
  if (signing === undefined) throw new NoSigningKey(alg);
  const handle = held.handle(signing.key.kid);
  if (handle === undefined) throw new SigningKeyUnavailable(held.unopened());
  return handle;
}

async function hasKeyInForce(encryption: KeyEncryption): Promise<boolean> {
  return encryption.inForce().then(
    () => true,
    (fault: unknown) => {
      if (fault instanceof KeyEncryptionError) return false;
      throw fault;
    },
  );
}
