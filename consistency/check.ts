import type { Promises, Violation } from './promises.ts';
import { findKeyFaults } from './published-keys.ts';
import type { Entry } from './record.ts';
import { findLostRegistrations } from './registrations.ts';
import { findUsedTwice } from './used-once.ts';
import { findRevivals } from './withdrawals.ts';

/**
 * Everything in a record that a server which keeps its promises could not have answered. Pure. Only what was answered is held against it: a request
 * without an answer may have been done or not, then or later. One request came after another only when it began after the other's answer was there.
 */
export function check(history: readonly Entry[], promises: Promises): readonly Violation[] {
  return [
    ...findUsedTwice(history),
    ...findLostRegistrations(history),
    ...findRevivals(history, promises),
    ...findKeyFaults(history, promises),
  ];
}
