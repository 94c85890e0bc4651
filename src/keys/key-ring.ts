import type { JWK } from 'jose';
import type { Clock } from '../domain/clock.ts';
import type { DatabaseClock } from '../domain/database-clock.ts';
import type { SigningKey } from '../domain/signing-key.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import type {
  DamagedSigningKey,
  SigningKeyStore,
  StoredSigningKey,
} from '../ports/signing-key-store.ts';
import { openKey } from './generate-key.ts';
import { type KeyEncryption, KeyEncryptionError, placeOfSigningKey } from './key-encryption.ts';
import { type KeyWithState, livesAt } from './key-states.ts';

/**
 * Milliseconds that the copy may be old when a key is taken from it to sign. It is read every
 * second; older, this process or its database was away.
 */
const maxAge = 3000;

/** The signing keys as last read from the store, opened. */
export interface KeyRing {
  /** Reads them, and the database's clock. Throws StoreUnavailable. */
  read(): Promise<void>;
  /**
   * Reads them when the copy is older than one may be that is signed by: a key may have been
   * revoked meanwhile. Throws StoreUnavailable.
   */
  recent(): Promise<void>;
  stored(): readonly StoredSigningKey[];
  /** Rows that cannot be read; none of them signs or is published. */
  damaged(): readonly DamagedSigningKey[];
  lives(): readonly KeyWithState[];
  /** The key that signs; when none is active yet, the announced one that will first. */
  signing(alg: AccessTokenSigningAlgorithm): KeyWithState | undefined;
  handle(kid: string): SigningKey | undefined;
  /**
   * Why a key cannot be opened: this replica has not got the key-encryption key that sealed it, or
   * its row is damaged. The others are in use.
   */
  unopened(): KeyEncryptionError | undefined;
  publicJwks(): { readonly keys: readonly JWK[] };
  /**
   * A published key; one that this copy does not know yet is looked for in the store first. Throws
   * StoreUnavailable.
   */
  verificationKey(kid: string): Promise<PublicKey | undefined>;
}

/** What the copy is made of. */
export interface KeyRingOptions {
  readonly store: Pick<SigningKeyStore, 'listSigningKeys'>;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly shared: DatabaseClock;
  /** Milliseconds that a retired key stays published. */
  readonly published: number;
}

/** A key whose halves belong together. Nothing of any other key is published or used. */
interface OpenKey {
  /** What the sealed half names; a row that was changed since is opened anew. */
  readonly place: string;
  readonly handle: SigningKey;
  readonly publicJwk: JWK;
  readonly publicKey: PublicKey;
}

/** A copy that is empty until it is read. */
export function keyRing({ store, encryption, clock, shared, ...options }: KeyRingOptions): KeyRing {
  const open = new Map<string, OpenKey>();
  const sealed = new Map<string, KeyEncryptionError>();
  let stored: readonly StoredSigningKey[] = [];
  let damaged: readonly DamagedSigningKey[] = [];
  let published: { readonly keys: readonly JWK[] } = { keys: [] };
  let publishedKids = '';
  let asked = { ticks: Number.NEGATIVE_INFINITY, at: 0 };
  let underWay: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;

  const lives = () => livesAt(stored, shared.now(), options.published);
  const publish = () => {
    const shown = lives().filter(
      ({ key, state }) =>
        (state === 'announced' || state === 'active' || state === 'retired') && open.has(key.kid),
    );
    const kids = shown.map(({ key }) => key.kid).join();
    if (kids === publishedKids) return;
    publishedKids = kids;
    published = { keys: shown.flatMap(({ key }) => open.get(key.kid)?.publicJwk ?? []) };
  };
  const read = async () => {
    const began = { ticks: performance.now(), at: clock() };
    const { keys, damaged: unread } = await shared.measuredBy(() => store.listSigningKeys());
    for (const key of keys) {
      const place = placeOfSigningKey(key);
      if (open.get(key.kid)?.place === place) continue;
      open.delete(key.kid);
      // A key that cannot be opened stops no other, so that revocations are heard of. It is not
      // published either: whoever can write to the database could have put its public half there.
      const result = await opened(key, encryption);
      if (result instanceof KeyEncryptionError) sealed.set(key.kid, result);
      else {
        open.set(key.kid, { ...result, place });
        sealed.delete(key.kid);
      }
    }
    // What was read before a change must not come back after it.
    if (began.ticks < asked.ticks) return;
    asked = began;
    stored = keys;
    damaged = unread;
    publish();
  };
  // By two clocks: the one that only goes forward stands still while the machine sleeps, the other
  // may be set.
  const isOld = () =>
    performance.now() - asked.ticks > maxAge || Math.abs(clock() - asked.at) > maxAge;
  const joined = async () => {
    underWay ??= read().finally(() => (underWay = undefined));
    await underWay;
  };
  // A reading that begins after the call; all who wait for one share it.
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
  return {
    read,
    async recent() {
      if (isOld()) await joined();
      // What was joined may itself have begun before a pause.
      if (isOld()) await read();
    },
    stored: () => stored,
    lives,
    // A replica whose clock is a little behind must not refuse to sign until the first key, or one
    // in place of a revoked one, is active for it too.
    signing(alg) {
      const keys = lives().filter(({ key }) => key.alg === alg);
      const announced = keys
        .filter(({ state }) => state === 'announced')
        .sort((a, b) => a.key.activeAt - b.key.activeAt);
      return keys.find(({ state }) => state === 'active') ?? announced[0];
    },
    handle: (kid) => open.get(kid)?.handle,
    damaged: () => damaged,
    unopened: () =>
      stored.map(({ kid }) => sealed.get(kid)).find((fault) => fault !== undefined) ??
      damaged.map(damagedKey)[0],
    publicJwks: () => published,
    async verificationKey(kid) {
      if (!open.has(kid)) await anew();
      return published.keys.some((key) => key.kid === kid) ? open.get(kid)?.publicKey : undefined;
    },
  };
}

/** Why a row that cannot be read is no key, and what to do. */
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
    // Whatever is wrong with a row concerns that row alone.
    return new KeyEncryptionError(
      `The signing key ${key.kid} (${key.alg}) cannot be opened: it signs nothing here and is not published. If another replica has a new key-encryption key, start this one with it; if the row is damaged or somebody else put it there, rotate ${key.alg} with "immediately" and revoke ${key.kid}.`,
      { cause },
    );
  }
}
