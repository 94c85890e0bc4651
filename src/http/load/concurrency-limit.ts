/** One of the places for requests in progress. */
export interface Place {
  /** Frees the place; further calls do nothing. */
  giveBack(): void;
  /**
   * Waits for a third-party server while another request uses the place; this time is left out of
   * the average. The work then continues immediately, because it was let in before, so the caller
   * must bound how many wait.
   */
  aside<Result>(wait: () => Promise<Result>): Promise<Result>;
}

/** Limits how many requests are in progress. */
export interface ConcurrencyLimit {
  /** Takes a place, or returns undefined while all are taken. */
  readonly take: () => Place | undefined;
  /** Whether there is a place. If not, the request is refused and counted as refused. */
  readonly open: () => boolean;
  /**
   * Whether at least half of the places were taken at some time in this interval or the previous
   * one; a store that answers many requests together frees them only briefly.
   */
  readonly crowded: () => boolean;
  readonly limit: () => number;
  readonly underWay: () => number;
  /**
   * Milliseconds for which every request has been refused; 0 while there is a place, or if none has
   * been refused since the last one was let in.
   */
  readonly refusingFor: () => number;
}

/** Milliseconds between two adaptations. */
const interval = 100;

/**
 * The lowest limit: a normal burst after a start, or while the store is briefly slow, waits and is
 * not refused, and a recovered store is noticed. At two milliseconds of work each, these requests
 * take 0.2 s.
 */
const fewest = 96;

/**
 * A limit that follows how long requests take. By Little's law, concurrency is throughput times
 * latency, so fewer requests keep the latency when the store or processor slows down, at the same
 * throughput. Above the target it falls in proportion; while all places are taken and the latency
 * is good it rises by a tenth.
 * @param max requests in progress, however fast they are
 * @param target average milliseconds that a request should take
 * @param now monotonic milliseconds
 */
export function concurrencyLimit(max: number, target: number, now: () => number): ConcurrencyLimit {
  let limit = max;
  let underWay = 0;
  let most = 0;
  let mostBefore = 0;
  let ended = 0;
  let total = 0;
  let since = now();
  let refusingSince: number | undefined;
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
  const count: Count = {
    enter() {
      underWay++;
      most = Math.max(most, underWay);
    },
    leave: () => underWay--,
    ended(took) {
      ended++;
      total += took;
      const at = now();
      if (at - since >= interval) adapt(at);
    },
  };
  const open = () => {
    const free = underWay < limit;
    if (!free) refusingSince ??= now();
    return free;
  };
  return {
    open,
    take() {
      if (!open()) return undefined;
      refusingSince = undefined;
      return placeOf(count, now);
    },
    crowded: () => Math.max(most, mostBefore) * 2 >= limit,
    limit: () => limit,
    underWay: () => underWay,
    refusingFor: () =>
      refusingSince === undefined || underWay < limit ? 0 : now() - refusingSince,
  };
}

interface Count {
  readonly enter: () => void;
  readonly leave: () => void;
  /** Reports that a request finished after so many milliseconds of work. */
  readonly ended: (took: number) => void;
}

function placeOf({ enter, leave, ended }: Count, now: () => number): Place {
  let over = false;
  /** Waits in progress: a request may have several. */
  let away = 0;
  let took = 0;
  let since = 0;
  const begin = () => {
    enter();
    since = now();
  };
  const pause = () => {
    took += now() - since;
    leave();
  };
  begin();
  return {
    giveBack() {
      if (over) return;
      over = true;
      if (away === 0) pause();
      ended(took);
    },
    async aside(wait) {
      if (over) return wait();
      if (away++ === 0) pause();
      try {
        return await wait();
      } finally {
        away--;
        if (away === 0 && !over) begin();
      }
    },
  };
}
