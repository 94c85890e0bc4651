import { LRUCache } from 'lru-cache';

/** Requests of one address that are refused for want of a token, a minute. */
const most = 100;
const minute = 60_000;

/** Counts requests that no admin sent. */
export interface RefusedAddresses {
  note(address: string): void;
  /** Begins anew, for whoever has proven to be an admin. */
  clear(address: string): void;
  /** Seconds to wait; undefined: the address may try. */
  waitOf(address: string): number | undefined;
}

/**
 * Bounds the looks into the store that strangers cause. Nobody guesses a token of 256 bits; who
 * tries all the same, or has an old one, is told to wait.
 * @param now milliseconds of a clock that only goes forward
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
