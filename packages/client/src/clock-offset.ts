/** How far the clocks of others are ahead of this one, in milliseconds. */
export interface ClockOffsets {
  /** Seconds since the epoch by the clock of this origin, if known. */
  seconds(url: URL): number;
  /**
   * Learns from the `Date` field of a response (RFC 9110 §6.6.1) to a request sent at `sentAt`.
   * True: the clock of that origin differs from the previous estimate.
   */
  see(url: URL, headers: Headers, sentAt: number): boolean;
}

/** Servers tolerate a few seconds; `Date` has whole seconds, and the network takes time. */
const noticeable = 5_000;
const max = 100;

/**
 * Clock offsets by origin, each learned only from that origin: a resource server that lies gets
 * proofs with a wrong time only for itself.
 */
export function clockOffsets(clock: () => number): ClockOffsets {
  const byOrigin = new Map<string, number>();
  const offsetOf = (origin: string) => byOrigin.get(origin) ?? 0;
  return {
    seconds: ({ origin }) => Math.floor((clock() + offsetOf(origin)) / 1000),
    see({ origin }, headers, sentAt) {
      const date = Date.parse(headers.get('date') ?? '');
      // A cached response has the time at which it was created.
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
