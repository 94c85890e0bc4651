import type { Clock } from '../../../domain/clock.ts';
import type { RemoteJwksUnavailable } from './unavailable.ts';

/** Until when nothing may be fetched again, and how the last fetch failed, if it did. */
export interface CoolDown {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly failure?: RemoteJwksUnavailable;
}

/** The fetches of a moment ago. Not a cache: what limits is never pushed out by something else. */
export interface CoolDowns {
  /** The cool-down that is not over; undefined: a fetch may begin. */
  of(key: string): CoolDown | undefined;
  begin(key: string, coolDown: CoolDown): void;
  /** True: as many as can be kept are not over yet, so that nothing more may be fetched. */
  full(): boolean;
}

/** Milliseconds between two searches for what is over, each of which looks at everything. */
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
