import { timePrefix } from '../../domain/time-ordered-id.ts';

/** The first and last id of all tokens of a span of time. */
export type Span = readonly [first: string, last: string];

/** The times at which the length of a span changes (seconds since the epoch). */
export interface OtherSpans {
  /** Before this, a span is an hour. */
  readonly hourlyUntil?: number;
  /** From here on, a span is a minute. */
  readonly byMinuteFrom?: number;
}

/**
 * Cuts the time from `first` to `last` (seconds) into spans of ten minutes, oldest first, because
 * one statement for all of it would exceed its time limit.
 */
export function spans(
  first: number,
  last: number,
  { hourlyUntil = first, byMinuteFrom = Number.POSITIVE_INFINITY }: OtherSpans = {},
): readonly Span[] {
  const found: Span[] = [];
  for (let from = first; from <= last; ) {
    const length = from + 3600 <= hourlyUntil ? 3600 : from < byMinuteFrom ? 600 : 60;
    found.push([timePrefix(from * 1000), timePrefix((from + length) * 1000)]);
    from += length;
  }
  return found;
}

/** Seconds back in which spans are a minute long: an hour and the span that reaches into it. */
export const hourByMinutes = 4200;
