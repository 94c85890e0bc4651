import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** Milliseconds for which an answer is valid, and after which it is renewed in the background. */
const [holds, renewed] = [1000, 500];

/** Tells whether copies of registrations are current. */
export interface CacheVersion {
  /**
   * Answers the same object until a client or resource server changes; the answer is less than a
   * second old. Undefined if the database took longer.
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
 * Asks the database twice a second, for all copies and all requests together, while there are
 * requests: no replica is more than a second behind, however many clients there are.
 * @param read asks the database
 * @param now milliseconds of a clock that only goes forward
 */
export function cacheVersion(
  read: () => Promise<string>,
  now: () => number = () => performance.now(),
): CacheVersion {
  let state: { readonly value: string } | undefined;
  /** The time of the question whose answer confirmed `state`. */
  let confirmed = Number.NEGATIVE_INFINITY;
  let asking: { readonly began: number; readonly done: Promise<void> } | undefined;
  const ask = async (began: number) => {
    try {
      const value = await read();
      // An answer that was overtaken by a later one says nothing new.
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
        // A failure is heard of by whoever has to wait.
        if (at - confirmed >= renewed && asking === undefined) start(at).catch(() => undefined);
        return state;
      }
      // One that has been under way for a second already comes too late.
      await (asking !== undefined && at - asking.began < holds ? asking.done : start(at));
      return now() - confirmed < holds ? state : undefined;
    },
  };
}
