import type { Entry } from './record.ts';

/** Time limits that the server promises, in milliseconds. */
export interface Promises {
  /** The maximum delay until a replica knows the changes of another. */
  readonly staleness: number;
  /** `JWKS_MAX_AGE`. */
  readonly jwksMaxAge: number;
}

/** A broken promise. */
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
