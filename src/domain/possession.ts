import type { ProvenKey } from './proven-key.ts';
import type { SingleUse } from './single-use.ts';

/** The key of a subject token, proven by a `subject_token_proof`. */
export interface ProvenSubject {
  /** RFC 7638 thumbprint. */
  readonly jkt: string;
  readonly use: SingleUse;
}

/** The key that the token will be bound to, and everything that issuing it uses up. */
export interface Possession {
  readonly boundKey: ProvenKey;
  /** True: the client asked for this very key by `req_cnf`. */
  readonly keyNamed: boolean;
  readonly uses: readonly SingleUse[];
  /** Of a delegation: the subject's key, and the use of the proof by it. */
  readonly subject?: ProvenSubject;
  readonly dpopNonce?: string;
}
