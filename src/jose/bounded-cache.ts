/** A cache bounded by bytes; it evicts the least recently used entry first. */
export interface BoundedCache<Value> {
  get(key: string): Value | undefined;
  /** `bytes`: the size of the value with its native memory. A value over the limit is not kept. */
  set(key: string, value: Value, bytes: number): void;
  delete(key: string): void;
  /** The bytes held, as stated by the callers of `set`. */
  bytes(): number;
}

interface Entry<Value> {
  readonly value: Value;
  readonly bytes: number;
}

/** Bytes of an entry besides its key and value: Map slot, entry and object headers. */
const overhead = 200;

/**
 * Makes a cache of at most `maxBytes`. Use short keys: hash foreign text. The resource server
 * package includes this file, so it uses no library.
 */
export function boundedCache<Value>(maxBytes: number): BoundedCache<Value> {
  const entries = new Map<string, Entry<Value>>();
  let held = 0;
  const remove = (key: string) => {
    held -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, bytes) {
      remove(key);
      const all = bytes + key.length * 2 + overhead;
      if (all > maxBytes) return;
      entries.set(key, { value, bytes: all });
      held += all;
      for (const leastRecentlyUsed of entries.keys()) {
        if (held <= maxBytes) break;
        remove(leastRecentlyUsed);
      }
    },
    delete: remove,
    bytes: () => held,
  };
}
