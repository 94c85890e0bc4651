import type { JWK } from 'jose';
import type { Clock } from '../domain/clock.ts';
import { databaseClock } from '../domain/database-clock.ts';
import { NoSigningKey, SigningKeyUnavailable } from '../domain/oauth-error.ts';
import type { SigningKey } from '../domain/signing-key.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { PublicKey } from '../jose/public-key.ts';
import type { SigningKeyStore, StoredSigningKey } from '../ports/signing-key-store.ts';
import { generateKey } from './generate-key.ts';
import { type KeyEncryption, KeyEncryptionError } from './key-encryption.ts';
import { type KeyRing, keyRing } from './key-ring.ts';
import {
  type Announcer,
  announcement,
  earliest,
  type KeyWithState,
  unrecorded,
} from './key-states.ts';

/** The server's signing keys, shared by all replicas through the store. */
export interface SigningKeys {
  /**
   * The key that signs tokens of this algorithm, of a list that is seconds old at most. Throws
   * NoSigningKey, SigningKeyUnavailable, StoreUnavailable.
   */
  current(alg: AccessTokenSigningAlgorithm): Promise<SigningKey>;
  /** Algorithms in use whose key this replica cannot sign by, as last read from the store. */
  missing(): readonly AccessTokenSigningAlgorithm[];
  /**
   * Makes the first key of an algorithm where there is none; of several replicas one makes it, all
   * use it.
   */
  ensure(alg: AccessTokenSigningAlgorithm): Promise<void>;
  /**
   * Published public keys as last read from the store; answers without the store. The same object
   * as long as nothing changed.
   */
  publicJwks(): { readonly keys: readonly JWK[] };
  /**
   * A published key by its `kid`, to check what it signed: what another replica made this moment
   * too. Throws StoreUnavailable.
   */
  verificationKey(kid: string): Promise<PublicKey | undefined>;
  /**
   * Reads the store again, for what another replica did, announces the successors that are due, and
   * records what became of the keys. Throws KeyEncryptionError when a key cannot be opened, after
   * all that.
   */
  refresh(): Promise<void>;
  /** Every key in its life. */
  list(): Promise<readonly KeyWithState[]>;
  /**
   * Announces a successor; it signs after `announcement` milliseconds, or at once. Of concurrent
   * calls one makes it, all answer it. Undefined: no key of this algorithm.
   */
  rotate(
    alg: AccessTokenSigningAlgorithm,
    options?: { readonly immediately?: boolean },
  ): Promise<StoredSigningKey | undefined>;
  /**
   * Takes a compromised key out at once, a successor in its place; false when there is no such key
   * or it was revoked before.
   */
  revoke(kid: string): Promise<boolean>;
}

/** What the signing keys live on. Times in milliseconds. */
export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  readonly encryption: KeyEncryption;
  /** This machine's; what the replicas must agree on goes by the database's. */
  readonly clock: Clock;
  /** How long a key signs before its successor takes over. */
  readonly rotationInterval: number;
  /** How long before its use a key of the schedule is announced. */
  readonly scheduledAnnouncement: number;
  /** How long before its use a key made by hand is announced: until every cached JWK Set has it. */
  readonly announcement: number;
  /** How long a retired key stays published: until the last token that it signed has expired. */
  readonly published: number;
  /** Tells the other processes on this machine of a change, before it is answered. */
  readonly changed: () => Promise<void>;
}

/** Milliseconds by which two replicas may read the database's clock differently. */
const clockDifference = 1000;

/** Attempts of a rotation by hand that others come in between. */
const rotationTries = 5;

/** `kid` of the last key in the succession of an algorithm, revoked or damaged though it may be. */
function lastOf(alg: string, held: Pick<KeyRing, 'stored' | 'damaged'>): string | undefined {
  const next = new Map([
    ...held.stored().map((key) => [key.predecessor ?? key.alg, key.kid] as const),
    ...held.damaged().map(({ follows, kid }) => [follows ?? '', kid] as const),
  ]);
  let last: string | undefined;
  for (let kid = next.get(alg); kid !== undefined && next.delete(last ?? alg); kid = next.get(kid))
    last = kid;
  return last;
}

/** Loads the signing keys. Throws KeyEncryptionError when none of them can be opened. */
export async function signingKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { store, encryption } = options;
  const shared = databaseClock(options.clock);
  const held = keyRing({ ...options, shared });
  const { now } = shared;

  const last = (alg: AccessTokenSigningAlgorithm) =>
    [...held.stored()]
      .filter((key) => key.alg === alg && key.revokedAt === undefined)
      .sort((a, b) => a.activeAt - b.activeAt)
      .at(-1);
  const soonest = (alg: AccessTokenSigningAlgorithm) =>
    earliest(
      held.stored().filter((key) => key.alg === alg),
      now(),
    );
  const succeed = async (
    alg: AccessTokenSigningAlgorithm,
    activeAt: number,
    actor: Announcer = 'server',
  ) => {
    const predecessor = lastOf(alg, held);
    const life = {
      createdAt: now(),
      activeAt,
      ...(predecessor !== undefined && { predecessor }),
    };
    const add = async () => {
      const successor = await generateKey(alg, encryption, life);
      return store.addSigningKey(successor, announcement(successor, actor));
    };
    if ((await add()) === 'sealed_anew') await add();
    await held.read();
  };
  const advance = async (key: StoredSigningKey, activeAt: number, actor: Announcer) => {
    await store.advanceSigningKey(key.kid, activeAt, announcement({ ...key, activeAt }, actor));
    await held.read();
  };
  // Whoever revoked the one that signed may not have come to put another in its place.
  const fill = async (alg: AccessTokenSigningAlgorithm) => {
    const first = held.signing(alg);
    if (first?.state === 'active') return;
    if (first === undefined) return succeed(alg, soonest(alg));
    // A moment ahead: it was made just now, by the clock of another replica.
    if (first.key.activeAt > soonest(alg) + clockDifference)
      await advance(first.key, soonest(alg), 'server');
  };
  const announceDue = async () => {
    for (const alg of new Set(held.stored().map((key) => key.alg))) {
      await fill(alg);
      const latest = last(alg);
      if (
        latest === undefined ||
        latest.activeAt + options.rotationInterval - options.scheduledAnnouncement > now()
      )
        continue;
      await succeed(
        alg,
        Math.max(latest.activeAt + options.rotationInterval, now() + options.announcement),
      );
    }
  };
  const record = async () => {
    const due = held.lives().map((life) => ({ key: life.key, ...unrecorded(life) }));
    for (const { key, stage, events } of due)
      if (events.length > 0) await store.recordStage(key.kid, key.recordedStage, stage, events);
  };

  const hasKeyInForce = async () =>
    encryption.inForce().then(
      () => true,
      (fault: unknown) => {
        if (fault instanceof KeyEncryptionError) return false;
        throw fault;
      },
    );

  await held.read();
  const unopened = held.unopened();
  if (unopened !== undefined && held.stored().every(({ kid }) => held.handle(kid) === undefined))
    throw unopened;
  return {
    async refresh() {
      await held.read();
      const sealed = held.unopened();
      // Without the key-encryption key in force no successor can be made here; another replica does
      // it. One damaged row keeps nobody from it.
      if (sealed === undefined || (await hasKeyInForce())) await announceDue();
      await record();
      if (sealed !== undefined) throw sealed;
    },
    publicJwks: held.publicJwks,
    verificationKey: held.verificationKey,
    missing() {
      const algs = [...new Set(held.stored().map(({ alg }) => alg))];
      return algs.filter((alg) => held.handle(held.signing(alg)?.key.kid ?? '') === undefined);
    },
    async current(alg) {
      await held.recent();
      if (held.signing(alg) === undefined) await held.read();
      const signing = held.signing(alg);
      if (signing === undefined) throw new NoSigningKey(alg);
      const handle = held.handle(signing.key.kid);
      if (handle === undefined) throw new SigningKeyUnavailable(held.unopened());
      return handle;
    },
    async ensure(alg) {
      if (held.signing(alg) !== undefined) return;
      await succeed(alg, now());
      await record();
      await options.changed();
    },
    async list() {
      await held.read();
      return held.lives();
    },
    async rotate(alg, { immediately = false } = {}) {
      await held.read();
      if (last(alg) === undefined) return undefined;
      const activeAt = soonest(alg) + (immediately ? 0 : options.announcement);
      const hadTheirTurn = new Set(
        held.stored().flatMap((key) => (key.activeAt <= now() ? [key.kid] : [])),
      );
      const successor = () =>
        held
          .stored()
          .find(
            (key) =>
              key.alg === alg &&
              key.revokedAt === undefined &&
              !hadTheirTurn.has(key.kid) &&
              key.activeAt <= activeAt + clockDifference,
          );
      // Another replica may announce one for later meanwhile, or revoke the one that was announced.
      for (let tried = 0; tried < rotationTries && successor() === undefined; tried++) {
        const latest = last(alg);
        // An announced successor only has to come sooner; several at once would have nothing to
        // sign.
        if (latest !== undefined && latest.activeAt > now())
          await advance(latest, activeAt, 'admin');
        else await succeed(alg, activeAt, 'admin');
      }
      await record();
      await options.changed();
      return successor() ?? last(alg);
    },
    async revoke(kid) {
      await held.read();
      await record();
      const revoked = held.stored().find((key) => key.kid === kid);
      if (revoked === undefined) return false;
      if (
        !(await store.revokeSigningKey(kid, now(), {
          type: 'signing_key_revoked',
          actor: 'admin',
          detail: { kid },
        }))
      )
        return false;
      await held.read();
      await fill(revoked.alg);
      await record();
      await options.changed();
      return true;
    },
  };
}
