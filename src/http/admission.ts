/** How many requests are worked on at once. */
export interface Admission {
  /** Whether one more may begin. */
  readonly open: () => boolean;
  /** Whether half of the places or more were taken at some time in this interval or the one before; a store that answers many at once frees them for a moment only. */
  readonly crowded: () => boolean;
  begin(): void;
  /** One has been answered that began so many milliseconds ago. */
  end(took: number): void;
  readonly limit: () => number;
}

/** Milliseconds between two adaptations. */
const interval = 100;

/**
 * Requests at once below which the limit never falls: an honest burst after a start, or while the store is slow for a moment, is waited for and
 * not refused, and a store that is back is noticed. At two milliseconds of work each, they take 0.2 s.
 */
const fewest = 96;

/**
 * A limit that follows how long requests take: by Little's law, requests at once are throughput times the time under way, so that fewer of them
 * keep the time when the store or the processor gets slow, at the same throughput. Above the target it falls in proportion; while all places
 * are taken and the time is good it rises by a tenth.
 * @param max requests at once, whatever they take
 * @param target milliseconds that a request should be under way on average
 * @param now monotonic milliseconds
 */
export function admission(max: number, target: number, now: () => number): Admission {
  let limit = max;
  let underWay = 0;
  let most = 0;
  let mostBefore = 0;
  let ended = 0;
  let total = 0;
  let since = now();
  const adapt = (at: number) => {
    const mean = total / ended;
    if (mean > target)
      limit = Math.max(
        Math.min(fewest, max),
        Math.floor(Math.min(limit, most) * Math.max(target / mean, 0.5)),
      );
    else if (most >= limit) limit = Math.min(max, Math.ceil(limit * 1.1));
    [mostBefore, most, ended, total, since] = [most, underWay, 0, 0, at];
  };
  return {
    open: () => underWay < limit,
    crowded: () => Math.max(most, mostBefore) * 2 >= limit,
    begin() {
      underWay++;
      most = Math.max(most, underWay);
    },
    end(took) {
      underWay--;
      ended++;
      total += took;
      const at = now();
      if (at - since >= interval) adapt(at);
    },
    limit: () => limit,
  };
}
