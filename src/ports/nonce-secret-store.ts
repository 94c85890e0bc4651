import type { AuditEvent } from '../domain/audit-event.ts';

export interface NonceSecretStore {
  /**
   * Puts `to` in the place of `from`, both sealed, and records the event, in one transaction;
   * answers false, and changes nothing, when something else stands there by now: of replicas that
   * rotate at once one does.
   */
  replaceNonceSecrets(from: string, to: string, event: AuditEvent): Promise<boolean>;
}
