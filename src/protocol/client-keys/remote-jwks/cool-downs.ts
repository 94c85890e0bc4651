import type { Clock } from '../../../domain/clock.ts';
import type { RemoteJwksUnavailable } from './unavailable.ts';

/** The time until which a source is not fetched again, and how the last fetch failed, if it did. */
export interface CoolDown {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly failure?: RemoteJwksUnavailable;
}

/** Recent fetches. This is not a cache: a limit is never evicted by other entries. */
export interface CoolDowns {
  /** The cool-down in progress; undefined: a fetch may begin. */
  of(key: string): CoolDown | undefined;
  begin(key: string, coolDown: CoolDown): void;
  /** True: the maximum number of cool-downs is in progress, so nothing more may be fetched. */
  full(): boolean;
}

/** Milliseconds between two searches for expired entries, each of which reads all entries. */
const searchInterval = 1000;

/** @param max cool-downs at a time */
export function coolDowns(clock: Clock, max: number): CoolDowns {
  const begun = new Map<string, CoolDown>();
  let searchedAt = Number.NEGATIVE_INFINITY;
  const forgetThoseOver = (now: number) => {
    if (Math.abs(now - searchedAt) < searchInterval) return;
    searchedAt = now;
    for (const [key, { until }] of begun) if (until <= now) begun.delete(key);
  };
  return {
    of(key) {
      const coolDown = begun.get(key);
      return coolDown !== undefined && clock() < coolDown.until ? coolDown : undefined;
    },
    begin: (key, coolDown) => void begun.set(key, coolDown),
    full() {
      if (begun.size >= max) forgetThoseOver(clock());
      return begun.size >= max;
    },
  };
}
