import { findKeyFaults } from './published-keys.ts';
import type { Entry } from './record.ts';
import { findLostRegistrations } from './registrations.ts';
import { findUsedTwice } from './used-once.ts';
import { findRevivals } from './withdrawals.ts';

/** What the server promises about time, in milliseconds. */
export interface Promises {
  /** By how much what a replica knows of another's changes may be old, where it may be old at all. */
  readonly staleness: number;
  /** `JWKS_MAX_AGE`. */
  readonly jwksMaxAge: number;
}

/** A promise that the record shows broken. */
export interface Violation {
  readonly promise: 'used once' | 'registered stays' | 'withdrawn stays' | 'not issued when disabled' | 'verifies';
  readonly text: string;
  /** The entries that contradict each other. */
  readonly entries: readonly Entry[];
}

/**
 * Everything in a record that a server which keeps its promises could not have answered. Pure. Only what was answered is held against it: a request
 * without an answer may have been done or not, then or later. One request came after another only when it began after the other's answer was there.
 */
export function check(history: readonly Entry[], promises: Promises): readonly Violation[] {
  return [...findUsedTwice(history), ...findLostRegistrations(history), ...findRevivals(history, promises), ...findKeyFaults(history, promises)];
}
