import type { Promises, Violation } from './promises.ts';
import { findKeyFaults } from './published-keys.ts';
import type { Entry } from './record.ts';
import { findLostRegistrations } from './registrations.ts';
import { findUsedTwice } from './used-once.ts';
import { findRevivals } from './withdrawals.ts';

/**
 * Finds the answers in a checked history that break a promise of the server. A request without an
 * answer may have taken effect at any time or never. A request follows another only if it began
 * after the other's answer.
 */
export function check(history: readonly Entry[], promises: Promises): readonly Violation[] {
  return [
    ...findUsedTwice(history),
    ...findLostRegistrations(history),
    ...findRevivals(history, promises),
    ...findKeyFaults(history, promises),
  ];
}
