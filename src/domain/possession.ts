import type { ProvenKey } from './proven-key.ts';
import type { SingleUse } from './single-use.ts';

/** The key of a subject token, proven by a `subject_token_proof`. */
export interface ProvenSubject {
  /** RFC 7638 thumbprint. */
  readonly jkt: string;
  /** `resource` of the proof: the only audiences of all tokens derived from the new one. */
  readonly audiences: readonly string[];
  readonly use: SingleUse;
}

/** The key to which the token will be bound, and everything that its issuance uses up. */
export interface Possession {
  readonly boundKey: ProvenKey;
  /** True: the client asked for this key in `req_cnf`. */
  readonly keyNamed: boolean;
  readonly uses: readonly SingleUse[];
  /** For a delegation: the subject's key, and the use of the proof by it. */
  readonly subject?: ProvenSubject;
  readonly dpopNonce?: string;
}
