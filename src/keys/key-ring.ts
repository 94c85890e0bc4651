import type { JWK } from 'jose';
import type { Clock } from '../domain/clock.ts';
import type { DatabaseClock } from '../domain/database-clock.ts';
import type { SigningKey } from '../domain/signing-key.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { PublicKey } from '../jose/public-key.ts';
import type {
  DamagedSigningKey,
  SigningKeyPurpose,
  SigningKeyStore,
  StoredSigningKey,
} from '../ports/signing-key-store.ts';
import type { KeyEncryption, KeyEncryptionError } from './key-encryption.ts';
import { type KeyWithState, keyStatesAt, type SigningKeyState } from './key-states.ts';
import { damagedKey, openKeys } from './open-keys.ts';

/**
 * Maximum age in milliseconds of a copy that is used for signing. It is read every second, so an
 * older one means that this process or its database was stopped or unreachable.
 */
const maxAge = 3000;

/** The signing keys of one purpose as last read from the store, opened. */
export interface KeyRing {
  readonly purpose: SigningKeyPurpose;
  /** Reads the keys and the database's clock. Throws StoreUnavailable. */
  read(): Promise<void>;
  /**
   * Reads the keys again if the copy is too old for signing, because a key may have been revoked.
   * Throws StoreUnavailable.
   */
  recent(): Promise<void>;
  stored(): readonly StoredSigningKey[];
  /** Rows that cannot be read; none of them signs or is published. */
  damaged(): readonly DamagedSigningKey[];
  /** Every key with its state now. */
  states(): readonly KeyWithState[];
  /** The key that signs; if none is active yet, the announced one that will be first. */
  signing(alg: AccessTokenSigningAlgorithm): KeyWithState | undefined;
  handle(kid: string): SigningKey | undefined;
  /**
   * Why a key cannot be opened: this replica lacks the key-encryption key that sealed it, or its
   * row is damaged. The other keys are used.
   */
  unopened(): KeyEncryptionError | undefined;
  publicJwks(): { readonly keys: readonly JWK[] };
  /** A published key, from the store if this copy does not have it. Throws StoreUnavailable. */
  verificationKey(kid: string): Promise<PublicKey | undefined>;
}

export interface KeyRingOptions {
  readonly purpose: SigningKeyPurpose;
  readonly store: Pick<SigningKeyStore, 'listSigningKeys'>;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly shared: DatabaseClock;
  /** Milliseconds that a retired key stays published. */
  readonly published: number;
}

/** Creates a key ring, which is empty until it is read. */
export function keyRing({ store, encryption, clock, shared, ...options }: KeyRingOptions): KeyRing {
  const open = openKeys(encryption);
  const published = publishedJwks((kid) => open.get(kid)?.publicJwk);
  let stored: readonly StoredSigningKey[] = [];
  let damaged: readonly DamagedSigningKey[] = [];
  let asked = { ticks: Number.NEGATIVE_INFINITY, at: 0 };

  const states = () => keyStatesAt(stored, shared.now(), options.published);
  const read = async () => {
    const began = { ticks: performance.now(), at: clock() };
    const { keys, damaged: unread } = await shared.measuredBy(() => store.listSigningKeys());
    const own = keys.filter(({ purpose }) => purpose === options.purpose);
    await open.open(own);
    // A result that was read before a change must not come back after it.
    if (began.ticks < asked.ticks) return;
    asked = began;
    stored = own;
    damaged = unread;
    published.update(states());
  };
  const { joined, anew } = sharedReading(read);
  // Uses two clocks: the monotonic one stops while the machine sleeps, and the other may be set.
  const isOld = () =>
    performance.now() - asked.ticks > maxAge || Math.abs(clock() - asked.at) > maxAge;
  return {
    purpose: options.purpose,
    read,
    async recent() {
      if (isOld()) await joined();
      // The reading that was joined may itself have begun before a pause.
      if (isOld()) await read();
    },
    stored: () => stored,
    states,
    // A replica whose clock is slightly behind must not refuse to sign until the first key, or one
    // that replaces a revoked key, is active by its own clock.
    signing(alg) {
      const keys = states().filter(({ key }) => key.alg === alg);
      const announced = keys
        .filter(({ state }) => state === 'announced')
        .sort((a, b) => a.key.activeAt - b.key.activeAt);
      return keys.find(({ state }) => state === 'active') ?? announced[0];
    },
    handle: (kid) => open.get(kid)?.handle,
    damaged: () => damaged,
    unopened: () =>
      stored.map(({ kid }) => open.fault(kid)).find((fault) => fault !== undefined) ??
      damaged.map(damagedKey)[0],
    publicJwks: published.current,
    async verificationKey(kid) {
      if (open.get(kid) === undefined) await anew();
      const isPublished = published.current().keys.some((key) => key.kid === kid);
      return isPublished ? open.get(kid)?.publicKey : undefined;
    },
  };
}

const publishedStates: readonly SigningKeyState[] = ['announced', 'active', 'retired'];

/** The JWK Set of the opened, published keys; the same object while the keys are the same. */
function publishedJwks(publicJwk: (kid: string) => JWK | undefined) {
  let published: { readonly keys: readonly JWK[] } = { keys: [] };
  let publishedKids = '';
  return {
    current: () => published,
    update(states: readonly KeyWithState[]): void {
      const shown = states.flatMap(({ key: { kid }, state }) => {
        const jwk = publishedStates.includes(state) ? publicJwk(kid) : undefined;
        return jwk === undefined ? [] : [{ kid, jwk }];
      });
      const kids = shown.map(({ kid }) => kid).join();
      if (kids === publishedKids) return;
      publishedKids = kids;
      published = { keys: shown.map(({ jwk }) => jwk) };
    },
  };
}

/** Shares readings between callers, each of which gets one that begins after its call. */
function sharedReading(read: () => Promise<void>) {
  let underWay: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;
  const joined = async () => {
    underWay ??= read().finally(() => (underWay = undefined));
    await underWay;
  };
  const anew = async () => {
    if (underWay === undefined) return joined();
    waiting ??= underWay
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        return joined();
      });
    return waiting;
  };
  return { joined, anew };
}
