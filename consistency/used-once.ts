import type { Violation } from './promises.ts';
import { done, type Entry, entriesOf } from './record.ts';

/** Finds proofs and assertions that were accepted twice (RFC 9449 §11.1, RFC 7523 §3). */
export function findUsedTwice(history: readonly Entry[]): readonly Violation[] {
  const counted = new Map<string, Entry[]>();
  for (const entry of entriesOf(history, 'token', 'introspect', 'revoke_token')) {
    if (!done(entry) || (entry.op === 'introspect' && entry.proofValid !== true)) continue;
    for (const use of entry.uses) counted.set(use, [...(counted.get(use) ?? []), entry]);
  }
  return [...counted]
    .filter(([, entries]) => entries.length > 1)
    .map(([use, entries]) => ({
      promise: 'used once',
      text: `${use} counted ${entries.length} times`,
      entries,
    }));
}
