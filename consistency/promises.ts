import type { Entry } from './record.ts';

/** What the server promises about time, in milliseconds. */
export interface Promises {
  /** By how much what a replica knows of another's changes may be old, where it may be old at all. */
  readonly staleness: number;
  /** `JWKS_MAX_AGE`. */
  readonly jwksMaxAge: number;
}

/** A promise that the record shows broken. */
export interface Violation {
  readonly promise:
    | 'used once'
    | 'registered stays'
    | 'withdrawn stays'
    | 'not issued when disabled'
    | 'verifies';
  readonly text: string;
  /** The entries that contradict each other. */
  readonly entries: readonly Entry[];
}
