/** A cache bounded by bytes; it evicts the oldest entry that was not read since its last turn. */
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
  /** Whether it was read since it was last passed over. */
  used: boolean;
}

/** Bytes of an entry besides its key and value: Map slot, entry and object headers. */
const overhead = 200;

/**
 * Creates a cache of at most `maxBytes`. A key must not be a part of a longer text, which would
 * stay in memory. The resource server package includes this file, so it uses no library.
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
      entry.used = true;
      return entry.value;
    },
    set(key, value, bytes) {
      remove(key);
      const all = bytes + key.length * 2 + overhead;
      if (all > maxBytes) return;
      for (const [oldest, entry] of entries) {
        if (held + all <= maxBytes) break;
        if (entry.used) {
          entry.used = false;
          entries.delete(oldest);
          entries.set(oldest, entry);
        } else remove(oldest);
      }
      entries.set(key, { value, bytes: all, used: false });
      held += all;
    },
    delete: remove,
    bytes: () => held,
  };
}
