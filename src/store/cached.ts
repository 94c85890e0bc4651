import { LRUCache } from 'lru-cache';

/** Milliseconds that a copy may be old: what another replica changed is seen here no later. */
const maxAge = 1000;

/** Copies remembered, the least recently used forgotten first. */
const maxCopies = 20_000;

/** Look-ups through a cache. */
export interface Cached<Value> {
  find(key: string): Promise<Value | undefined>;
  /** Forgets everything that could hold what just changed: this replica sees its own changes at once. */
  forget(): void;
}

/**
 * Remembers what was found for at most a second after it was asked for, and only what was found: a stranger can fill nothing. Concurrent look-ups of one key are one.
 * @param now milliseconds of a clock that only goes forward
 */
export function cached<Value extends object>(
  load: (key: string) => Promise<Value | undefined>,
  now: () => number = () => performance.now(),
): Cached<Value> {
  // The time is read at every look: a process that was stopped for a while must not go on with the time of before.
  const copies = new LRUCache<string, Value>({ max: maxCopies, ttl: maxAge, ttlResolution: 0, perf: { now } });
  let underWay = new Map<string, { readonly began: number; readonly found: Promise<Value | undefined> }>();
  const look = async (key: string, began: number, started: typeof underWay): Promise<Value | undefined> => {
    try {
      const found = await load(key);
      // What was read before a change must not come back after it.
      if (found !== undefined && started === underWay) copies.set(key, found, { start: began });
      return found;
    } finally {
      if (started.get(key)?.began === began) started.delete(key);
    }
  };
  return {
    async find(key) {
      const copy = copies.get(key);
      if (copy !== undefined) return copy;
      const running = underWay.get(key);
      const began = now();
      // An answer that was long under way may be older than a copy may be.
      if (running !== undefined && began - running.began < maxAge) return running.found;
      const found = look(key, began, underWay);
      underWay.set(key, { began, found });
      return found;
    },
    forget() {
      copies.clear();
      underWay = new Map();
    },
  };
}
