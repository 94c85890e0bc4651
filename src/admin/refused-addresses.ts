import { LRUCache } from 'lru-cache';

/** Requests without a valid token that one address may send a minute. */
const most = 100;
const minute = 60_000;

/** Counts unauthenticated requests. */
export interface RefusedAddresses {
  note(address: string): void;
  /** Resets the count once the sender has proven to be an admin. */
  clear(address: string): void;
  /** Seconds to wait; undefined: the address may try now. */
  waitOf(address: string): number | undefined;
}

/**
 * Limits the store reads that strangers cause. A token of 256 bits cannot be guessed, so repeated
 * attempts, even with an expired token, can be made to wait.
 * @param now milliseconds of a monotonic clock
 */
export function refusedAddresses(now: () => number = () => performance.now()): RefusedAddresses {
  const counts = new LRUCache<string, { readonly since: number; count: number }>({ max: 10_000 });
  const current = (address: string) => {
    const found = counts.get(address);
    return found === undefined || now() - found.since >= minute ? undefined : found;
  };
  return {
    note(address) {
      const found = current(address) ?? { since: now(), count: 0 };
      found.count++;
      counts.set(address, found);
    },
    clear(address) {
      counts.delete(address);
    },
    waitOf(address) {
      const found = current(address);
      if (found === undefined || found.count < most) return undefined;
      return Math.max(Math.ceil((found.since + minute - now()) / 1000), 1);
    },
  };
}
