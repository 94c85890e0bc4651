import type { ProvenKey } from './proven-key.ts';
import type { SingleUse } from './single-use.ts';

/** The key that the token will be bound to, and everything that issuing it uses up. */
export interface Possession {
  readonly boundKey: ProvenKey;
  /** True: the client asked for this very key by `req_cnf`. */
  readonly keyNamed: boolean;
  readonly uses: readonly SingleUse[];
  readonly dpopNonce?: string;
}
