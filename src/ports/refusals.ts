import type { AuditEvent } from '../domain/audit-event.ts';
import type { AuthenticatedClient } from '../domain/client-registration.ts';
import type { RefusalReason } from '../domain/refusal-reasons.ts';

/** Records refused requests. */
export interface Refusals {
  /**
   * Records a refusal of an authenticated client, with the proven key that the refusal carries,
   * else the key that signed the client assertion. Neither waits nor fails. A replayed assertion
   * may be a copy, so it is counted as a stranger's, like all but the first refusal by one
   * assertion.
   */
  ofClient(
    client: AuthenticatedClient,
    fault: unknown,
    what: 'token_refused' | 'revocation_refused',
  ): void;
  /**
   * Records a workload whose token, by its digest, is genuine but meets no rule. Shown again, it is
   * counted as a stranger's.
   */
  ofWorkload(token: string, event: Omit<AuditEvent, 'reason'> & { reason?: RefusalReason }): void;
  /**
   * Counts a refusal of a stranger, who must not make the trail grow, or of an introspection, which
   * is as frequent as API calls. `claimed` is the unproven `client_id`, if any.
   */
  ofStranger(fault: unknown, claimed?: string): void;
  /** Counts what a gateway in `report` would have refused, by the token's client. */
  reported(reason: RefusalReason, audience: string, clientId: string | undefined): void;
  /** Writes the counts since the last call as one record of each kind, if there are any. */
  flush(): Promise<void>;
}
