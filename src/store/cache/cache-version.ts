import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** Milliseconds for which a result is valid, and after which it is renewed in the background. */
const [holds, renewed] = [1000, 500];

/** Shows whether copies of registrations are current. */
export interface CacheVersion {
  /**
   * Returns the same object, less than a second old, until a client or resource server changes.
   * Undefined if the database took longer.
   */
  current(): Promise<object | undefined>;
}

/** Reads what every change of a client or resource server changes. Throws StoreUnavailable. */
export function sqlCacheVersion(database: Database): CacheVersion {
  return cacheVersion(async () => {
    const row = await orStoreUnavailable(() =>
      database.cacheVersion.findUniqueOrThrow({ where: { id: 1 } }),
    );
    return row.value;
  });
}

/**
 * Asks the database twice a second, for all copies and requests together, while there are requests.
 * No replica is more than a second behind, however many clients there are.
 * @param read asks the database
 * @param now milliseconds of a clock that only goes forward
 */
export function cacheVersion(
  read: () => Promise<string>,
  now: () => number = () => performance.now(),
): CacheVersion {
  let state: { readonly value: string } | undefined;
  /** The start of the query whose result confirmed `state`. */
  let confirmed = Number.NEGATIVE_INFINITY;
  let asking: { readonly began: number; readonly done: Promise<void> } | undefined;
  const ask = async (began: number) => {
    try {
      const value = await read();
      // A result that a later one overtook says nothing new.
      if (began <= confirmed) return;
      if (value !== state?.value) state = { value };
      confirmed = began;
    } finally {
      if (asking?.began === began) asking = undefined;
    }
  };
  const start = (began: number) => {
    asking = { began, done: ask(began) };
    return asking.done;
  };
  return {
    async current() {
      const at = now();
      if (at - confirmed < holds) {
        // A caller that has to wait gets the failure.
        if (at - confirmed >= renewed && asking === undefined) start(at).catch(() => undefined);
        return state;
      }
      // A query that has run for a second comes too late.
      await (asking !== undefined && at - asking.began < holds ? asking.done : start(at));
      return now() - confirmed < holds ? state : undefined;
    },
  };
}
