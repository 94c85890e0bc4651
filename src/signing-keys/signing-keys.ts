import type { JWK } from 'jose';
import type { AuditTrail } from '../audit.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import type { Clock } from '../ports.ts';
import type { KeyEncryption } from './key-encryption.ts';
import { type KeyInLife, livesAt } from './life-cycle.ts';
import { makeKey, openKey } from './make-key.ts';
import type { SigningKey } from './signing-key.ts';
import type { SigningKeyStore, StoredSigningKey } from './signing-key-store.ts';

/** The server's signing keys, shared by all replicas through the store. */
export interface SigningKeys {
  /** The key that signs tokens of this algorithm. Throws when there is none. */
  current(alg: AccessTokenSigningAlgorithm): Promise<SigningKey>;
  /** Makes the first key of an algorithm where there is none; of several replicas one makes it, all use it. */
  ensure(alg: AccessTokenSigningAlgorithm): Promise<void>;
  /** Published public keys as last read from the store; answers without the store. The same object as long as nothing changed. */
  publicJwks(): { readonly keys: readonly JWK[] };
  /** A published key by its `kid`, to check what it signed. */
  verificationKey(kid: string): PublicKey | undefined;
  /** Reads the store again, for what another replica did, and announces the successors that are due. */
  refresh(): Promise<void>;
  /** Every key in its life. */
  list(): Promise<readonly KeyInLife[]>;
  /** Announces a successor; it signs after `announcement` milliseconds, or at once. Of concurrent calls one makes it, all answer it. Undefined: no key of this algorithm. */
  rotate(alg: AccessTokenSigningAlgorithm, options?: { readonly immediately?: boolean }): Promise<StoredSigningKey | undefined>;
  /** Takes a compromised key out at once, a successor in its place; false when there is no such key or it was revoked before. */
  revoke(kid: string): Promise<boolean>;
}

/** What the signing keys live on. Times in milliseconds. */
export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly audit: AuditTrail;
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

interface OpenKey {
  readonly handle: SigningKey;
  readonly publicJwk: JWK;
  readonly publicKey: PublicKey;
}

/** Loads the signing keys. Throws KeyEncryptionError when a stored key cannot be opened. */
export async function signingKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { store, encryption, clock, audit } = options;
  const open = new Map<string, OpenKey>();
  let stored: readonly StoredSigningKey[] = [];
  let published: { readonly keys: readonly JWK[] } = { keys: [] };
  let publishedKids = '';

  const lives = () => livesAt(stored, clock(), options.published);
  const publish = () => {
    const shown = lives().filter(({ state }) => state === 'announced' || state === 'active' || state === 'retired');
    const kids = shown.map(({ key }) => key.kid).join();
    if (kids === publishedKids) return;
    publishedKids = kids;
    published = { keys: shown.flatMap(({ key }) => open.get(key.kid)?.publicJwk ?? []) };
  };
  const read = async () => {
    const keys = await store.listSigningKeys();
    for (const key of keys) if (!open.has(key.kid)) open.set(key.kid, await opened(key, encryption));
    stored = keys;
    publish();
  };
  // A replica whose clock is behind the one that made the first key, or a key in place of a revoked one, must not refuse to sign until then.
  const find = (alg: AccessTokenSigningAlgorithm) => {
    const keys = lives().filter(({ key }) => key.alg === alg);
    const announced = keys.filter(({ state }) => state === 'announced').sort((a, b) => a.key.activeAt - b.key.activeAt);
    return keys.find(({ state }) => state === 'active') ?? announced[0];
  };
  const last = (alg: AccessTokenSigningAlgorithm) =>
    [...stored]
      .filter((key) => key.alg === alg && key.revokedAt === undefined)
      .sort((a, b) => a.activeAt - b.activeAt)
      .at(-1);
  const recordAnnouncement = ({ kid, alg }: StoredSigningKey, activeAt: number, actor: 'admin' | 'server') =>
    audit.record({ type: 'signing_key_announced', actor, detail: { kid, alg, active_at: activeAt } });
  const succeed = async (alg: AccessTokenSigningAlgorithm, activeAt: number, actor: 'admin' | 'server' = 'server') => {
    // After the one that none came after yet, revoked or not: a revoked key has its place in the chain too.
    const predecessor = stored.find((key) => key.alg === alg && !stored.some((other) => other.predecessor === key.kid));
    const life = { createdAt: clock(), activeAt, ...(predecessor !== undefined && { predecessor: predecessor.kid }) };
    let successor = await makeKey(alg, encryption, life);
    let outcome = await store.addSigningKey(successor);
    if (outcome === 'sealed_anew') {
      successor = await makeKey(alg, encryption, life);
      outcome = await store.addSigningKey(successor);
    }
    if (outcome === 'added') await recordAnnouncement(successor, activeAt, actor);
    await read();
  };
  const announceDue = async () => {
    for (const alg of new Set(stored.map((key) => key.alg))) {
      const latest = last(alg);
      // Whoever revoked the only one did not come to make another.
      if (latest === undefined) await succeed(alg, clock());
      if (latest === undefined || latest.activeAt + options.rotationInterval - options.scheduledAnnouncement > clock()) continue;
      await succeed(alg, Math.max(latest.activeAt + options.rotationInterval, clock() + options.announcement));
    }
  };

  await read();
  return {
    async refresh() {
      await read();
      await announceDue();
    },
    publicJwks: () => published,
    verificationKey: (kid) => (published.keys.some((key) => key.kid === kid) ? open.get(kid)?.publicKey : undefined),
    async current(alg) {
      if (find(alg) === undefined) await read();
      const known = find(alg);
      const handle = known === undefined ? undefined : open.get(known.key.kid)?.handle;
      if (handle === undefined) throw new Error(`no signing key for ${alg}`);
      return handle;
    },
    async ensure(alg) {
      if (last(alg) !== undefined) return;
      await succeed(alg, clock());
      await options.changed();
    },
    async list() {
      await read();
      return lives();
    },
    async rotate(alg, { immediately = false } = {}) {
      await read();
      const latest = last(alg);
      if (latest === undefined) return undefined;
      const activeAt = clock() + (immediately ? 0 : options.announcement);
      // An announced successor only has to come sooner; several at once would have nothing to sign.
      if (latest.activeAt > clock()) {
        await store.advanceSigningKey(latest.kid, activeAt);
        await recordAnnouncement(latest, activeAt, 'admin');
      } else await succeed(alg, activeAt, 'admin');
      await read();
      await options.changed();
      return last(alg);
    },
    async revoke(kid) {
      await read();
      const revoked = stored.find((key) => key.kid === kid);
      if (revoked === undefined || !(await store.revokeSigningKey(kid, clock()))) return false;
      await audit.record({ type: 'signing_key_revoked', actor: 'admin', detail: { kid } });
      await read();
      if (find(revoked.alg) === undefined) await succeed(revoked.alg, clock());
      await options.changed();
      return true;
    },
  };
}

async function opened(key: StoredSigningKey, encryption: KeyEncryption): Promise<OpenKey> {
  const publicJwk = JSON.parse(key.publicJwk) as JWK;
  return { handle: await openKey(key, encryption), publicJwk, publicKey: readPublicKey(publicJwk) };
}
