import { timePrefix } from '../../domain/time-ordered-id.ts';

/** The ids between which all tokens of a span of time lie. */
export type Span = readonly [first: string, last: string];

/**
 * Cuts the time from `first` to `last` (seconds) into spans of ten minutes, oldest first, because
 * one statement for all of it would not end within its time limit. Before `hourlyUntil` a span is
 * an hour.
 */
export function spans(first: number, last: number, hourlyUntil = first): readonly Span[] {
  const found: Span[] = [];
  for (let from = first; from <= last; ) {
    const to = from + (from + 3600 <= hourlyUntil ? 3600 : 600);
    found.push([timePrefix(from * 1000), timePrefix(to * 1000)]);
    from = to;
  }
  return found;
}
