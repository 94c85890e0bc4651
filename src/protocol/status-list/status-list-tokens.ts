import type { Clock } from '../../domain/clock.ts';
import type { SigningKey } from '../../domain/signing-key.ts';
import type { CurrentSigningKey } from '../../ports/current-signing-key.ts';
import type {
  ActiveStatusList,
  DamagedStatusList,
  StatusListStore,
} from '../../ports/status-list-store.ts';
import { encodeStatusList } from './encode-status-list.ts';

export interface StatusListTokensOptions {
  readonly store: Pick<StatusListStore, 'exists' | 'lists' | 'inactive'>;
  readonly clock: Clock;
  readonly signingKey: CurrentSigningKey;
  /** The URI of a list. */
  readonly uriOf: (list: string) => string;
  /** Seconds within which a revocation is visible everywhere, despite caches. */
  readonly maxAge: number;
}

/** A status list token, and for how many seconds a cache may keep it. */
export interface StatusListToken {
  readonly jwt: string;
  readonly maxAge: number;
}

interface Snapshot {
  /** Milliseconds since the epoch, taken before the store was read. */
  readonly at: number;
  readonly lists: ReadonlyMap<string, ActiveStatusList | DamagedStatusList>;
  readonly inactive: ReadonlyMap<string, readonly number[]>;
}

interface Rendered {
  readonly snapshot: Snapshot;
  readonly kid: string;
  readonly jwt: Promise<string>;
}

/**
 * Status list tokens (draft-ietf-oauth-status-list §5.1), each signed once per read of the store,
 * so that requests from strangers cost no more.
 *
 * `exp` is `maxAge` after the read and `ttl` half of that; caches get what is left of the other
 * half, so no copy in use is older than `maxAge`.
 */
export function statusListTokens({
  store,
  clock,
  signingKey,
  uriOf,
  maxAge,
}: StatusListTokensOptions) {
  const half = Math.floor(maxAge / 2);
  const rendered = new Map<string, Rendered>();
  const { current, fresh } = snapshots(clock, maxAge, async () => {
    const snapshot = await look(store, clock());
    for (const id of rendered.keys()) if (!snapshot.lists.has(id)) rendered.delete(id);
    return snapshot;
  });
  const render = async (
    { at, inactive }: Snapshot,
    { id, compromised }: ActiveStatusList,
    sign: SigningKey['signJwt'],
  ) => {
    const iat = Math.floor(at / 1000);
    const status_list = await encodeStatusList(compromised ? 'all' : (inactive.get(id) ?? []));
    return sign('statuslist+jwt', {
      sub: uriOf(id),
      iat,
      exp: iat + maxAge,
      ttl: half,
      status_list,
    });
  };
  const answer = async ({ snapshot, jwt }: Rendered): Promise<StatusListToken> => ({
    jwt: await jwt,
    maxAge: Math.max(half - Math.ceil((clock() - snapshot.at) / 1000), 0),
  });

  /** Returns the list, or undefined if it does not exist. Throws StoreUnavailable. */
  return async (id: string): Promise<StatusListToken | undefined> => {
    let snapshot = await current();
    // The list may have been created after the snapshot.
    if (!snapshot.lists.has(id) && (await store.exists(id))) snapshot = await fresh();
    const list = snapshot.lists.get(id);
    if (list === undefined) return undefined;
    if ('damaged' in list) throw list.damaged;
    try {
      const { kid, signJwt } = await signingKey(list.alg);
      const known = rendered.get(id);
      if (known?.snapshot === snapshot && known.kid === kid) return await answer(known);
      const copy = { snapshot, kid, jwt: render(snapshot, list, signJwt) };
      rendered.set(id, copy);
      copy.jwt.catch(() => rendered.delete(id));
      return await answer(copy);
    } catch (fault) {
      // A copy of the same snapshot is still valid.
      const known = rendered.get(id);
      if (known?.snapshot === snapshot) return answer(known);
      throw fault;
    }
  };
}

/** Returns the last snapshot if it is only seconds old, else a new one that all callers share. */
function snapshots(clock: Clock, maxAge: number, lookAnew: () => Promise<Snapshot>) {
  const lookEvery = Math.min(5, maxAge / 6) * 1000;
  let last: Snapshot | undefined;
  let underWay: Promise<Snapshot> | undefined;
  const fresh = async () => {
    underWay ??= lookAnew()
      .then((snapshot) => (last = snapshot))
      .finally(() => (underWay = undefined));
    return underWay;
  };
  const current = async (): Promise<Snapshot> => {
    const known = last;
    const age = known === undefined ? Number.POSITIVE_INFINITY : Math.abs(clock() - known.at);
    if (known !== undefined && age < lookEvery) return known;
    try {
      return await fresh();
    } catch (fault) {
      // Such a copy is as good as one from a cache.
      if (known !== undefined && age < Math.floor(maxAge / 2) * 1000) return known;
      throw fault;
    }
  };
  return { current, fresh };
}

/** Reads all lists together, and only when one is requested. */
async function look(store: StatusListTokensOptions['store'], at: number): Promise<Snapshot> {
  const [lists, entries] = await Promise.all([store.lists(), store.inactive()]);
  const inactive = new Map<string, number[]>();
  for (const { list, idx } of entries) {
    const indexes = inactive.get(list) ?? [];
    indexes.push(idx);
    inactive.set(list, indexes);
  }
  return { at, lists: new Map(lists.map((list) => [list.id, list])), inactive };
}
