import type { AuditTrail } from './audit.ts';
import type { AuthenticatedClient } from './client-registration.ts';
import { OAuthError } from './oauth-error.ts';

/** Keeps account of refused token requests. */
export interface Refusals {
  /** Of an authenticated client: one record each. Neither waited for nor able to change the answer. */
  ofClient(client: AuthenticatedClient, fault: unknown): void;
  /** Of a stranger: only counted, for a stranger must not make the trail grow. */
  ofStranger(fault: unknown): void;
  /** Writes the counts since the last call as one record, if there are any. */
  flush(): Promise<void>;
}

/** Most reasons counted apart; there are about fifty. */
const maxReasons = 100;

/** Refusals for the audit trail. */
export function refusals(audit: AuditTrail): Refusals {
  let counts = new Map<string, number>();
  return {
    ofClient({ registration }, fault) {
      if (!(fault instanceof OAuthError)) return;
      const { client_id } = registration;
      audit.record({ type: 'token_refused', actor: `client:${client_id}`, client_id, reason: fault.reason }).catch(() => undefined);
    },
    ofStranger(fault) {
      if (!(fault instanceof OAuthError)) return;
      const reason = counts.has(fault.reason) || counts.size < maxReasons ? fault.reason : 'other';
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    },
    async flush() {
      if (counts.size === 0) return;
      const counted = counts;
      counts = new Map();
      await audit.record({ type: 'refusals_sampled', actor: 'server', detail: Object.fromEntries(counted) });
    },
  };
}
