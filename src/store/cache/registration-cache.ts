import { heldBytes, ownCopy } from '../../domain/held-bytes.ts';
import { boundedCache } from '../../jose/bounded-cache.ts';
import type { CacheVersion } from './cache-version.ts';

/** Milliseconds after which callers no longer join a look-up, whose result may be too old. */
const joined = 1000;

/**
 * Maximum bytes of copies: some 15,000 clients with a secret, or 4,000 with a key. The least
 * recently used are dropped first.
 */
const maxBytes = 32 * 1024 * 1024;

/** Look-ups through a cache. */
export interface Cached<Value> {
  find(key: string): Promise<Value | undefined>;
  /** Drops every copy, so that this replica sees its own changes immediately. */
  forget(): void;
}

/**
 * Caches values until a registry changes (`state` is less than a second behind). Misses are not
 * cached, so a stranger can fill nothing, and concurrent look-ups of one key share one query.
 * @param now milliseconds of a clock that only goes forward
 */
export function cached<Value extends object>(
  load: (key: string) => Promise<Value | undefined>,
  state: CacheVersion,
  now: () => number = () => performance.now(),
): Cached<Value> {
  let copies = boundedCache<Value>(maxBytes);
  let held: object | undefined;
  let underWay = new Map<
    string,
    { readonly began: number; readonly found: Promise<Value | undefined> }
  >();
  const forget = () => {
    copies = boundedCache(maxBytes);
    underWay = new Map();
  };
  const look = async (
    key: string,
    began: number,
    started: typeof underWay,
  ): Promise<Value | undefined> => {
    try {
      const found = await load(key);
      // A value that was read before a change must not come back after it.
      if (found !== undefined && started === underWay)
        copies.set(ownCopy(key), found, heldBytes(JSON.stringify(found)));
      return found;
    } finally {
      if (started.get(key)?.began === began) started.delete(key);
    }
  };
  return {
    async find(key) {
      const current = await state.current();
      if (current === undefined) return load(key);
      if (current !== held) forget();
      held = current;
      const copy = copies.get(key);
      if (copy !== undefined) return copy;
      const running = underWay.get(key);
      const began = now();
      if (running !== undefined && began - running.began < joined) return running.found;
      const found = look(key, began, underWay);
      underWay.set(key, { began, found });
      return found;
    },
    forget,
  };
}
