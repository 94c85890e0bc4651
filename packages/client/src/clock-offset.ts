/** How far the clocks of others are ahead of this one. Milliseconds. */
export interface ClockOffsets {
  /** Seconds since the epoch by the clock of this origin, as far as it is known. */
  seconds(url: URL): number;
  /**
   * Learns from the `Date` field of an answer (RFC 9110 §6.6.1) to a request that was sent at
   * `sentAt`. True: the clock of that origin turned out to be another than was thought.
   */
  see(url: URL, headers: Headers, sentAt: number): boolean;
}

/** Servers allow for a few seconds; `Date` has whole seconds, and the way there takes time. */
const noticeable = 5_000;
const max = 100;

/**
 * Offsets of the clocks, each origin's by its own word only: a resource server that lies gets
 * proofs of another time for itself, and for nobody else.
 */
export function clockOffsets(clock: () => number): ClockOffsets {
  const byOrigin = new Map<string, number>();
  const offsetOf = (origin: string) => byOrigin.get(origin) ?? 0;
  return {
    seconds: ({ origin }) => Math.floor((clock() + offsetOf(origin)) / 1000),
    see({ origin }, headers, sentAt) {
      const date = Date.parse(headers.get('date') ?? '');
      // An answer out of a cache has the time at which it was made.
      if (Number.isNaN(date) || Number(headers.get('age') ?? 0) > 0) return false;
      const measured = date + 500 - (sentAt + clock()) / 2;
      if (Math.abs(measured - offsetOf(origin)) < noticeable) return false;
      byOrigin.delete(origin);
      if (Math.abs(measured) >= noticeable) byOrigin.set(origin, measured);
      if (byOrigin.size > max)
        for (const oldest of [...byOrigin.keys()].slice(0, -max)) byOrigin.delete(oldest);
      return true;
    },
  };
}
