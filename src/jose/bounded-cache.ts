/** A cache bounded by bytes: what was not used longest is forgotten first. */
export interface BoundedCache<Value> {
  get(key: string): Value | undefined;
  /** `bytes` that the value holds, native memory included. What is larger than all is not kept. */
  set(key: string, value: Value, bytes: number): void;
  delete(key: string): void;
  /** Bytes that are held, by the word of those who set them. */
  bytes(): number;
}

interface Entry<Value> {
  readonly value: Value;
  readonly bytes: number;
}

/** Bytes of an entry beside its key and value: the slot in the Map, the entry, object headers. */
const overhead = 200;

/**
 * A Map, which keeps the order in which its keys came; resource servers use this file too, without
 * other libraries. Keys are to be short: the hash of a foreign text, not the text.
 * @param maxBytes bytes of all entries
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
