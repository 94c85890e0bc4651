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

/** Remembers what was found for at most a second, and only what was found: a stranger can fill nothing. Concurrent look-ups of one key are one. */
export function cached<Value extends object>(load: (key: string) => Promise<Value | undefined>): Cached<Value> {
  const copies = new LRUCache<string, Value>({ max: maxCopies, ttl: maxAge });
  let underWay = new Map<string, Promise<Value | undefined>>();
  const look = async (key: string, started: typeof underWay): Promise<Value | undefined> => {
    try {
      const found = await load(key);
      // What was read before a change must not come back after it.
      if (found !== undefined && started === underWay) copies.set(key, found);
      return found;
    } finally {
      started.delete(key);
    }
  };
  return {
    async find(key) {
      const copy = copies.get(key);
      if (copy !== undefined) return copy;
      const running = underWay.get(key) ?? look(key, underWay);
      underWay.set(key, running);
      return running;
    },
    forget() {
      copies.clear();
      underWay = new Map();
    },
  };
}
