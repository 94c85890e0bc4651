import type { AuditEvent } from '../domain/audit-event.ts';

export interface NonceSecretStore {
  /**
   * Replaces `from` by `to`, both sealed, and records the event in one transaction; answers false,
   * and changes nothing, if the stored value is another by now. Of replicas that rotate at once,
   * one succeeds.
   */
  replaceNonceSecrets(from: string, to: string, event: AuditEvent): Promise<boolean>;
}
