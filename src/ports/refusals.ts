import type { AuthenticatedClient } from '../domain/client-registration.ts';
import type { ProvenKey } from '../domain/proven-key.ts';

/** Keeps account of refused requests. */
export interface Refusals {
  /**
   * Of an authenticated client: one record each. Neither waited for nor able to change the answer. `proven`: the first key that was proven before
   * the refusal; the one that signed the client assertion unless given. Whoever has come by a client assertion can show it again and again, with a
   * request that uses it up or not: that it was used before is counted as a stranger's, and so is all but the first of its refusals.
   */
  ofClient(
    client: AuthenticatedClient,
    fault: unknown,
    what: 'token_refused' | 'revocation_refused',
    proven?: ProvenKey,
  ): void;
  /**
   * Of a stranger: only counted, for a stranger must not make the trail grow. `claimed`: the `client_id` that it gave, proven by nothing.
   * Of an introspection likewise, whoever asks: there are as many as API calls, a refused one gives nobody anything, and who authenticates
   * there has proven no key that a record could name.
   */
  ofStranger(fault: unknown, claimed?: string): void;
  /** Writes the counts since the last call as one record, if there are any. */
  flush(): Promise<void>;
}
