import type { AuditEvent } from '../domain/audit-event.ts';

export interface NonceSecretStore {
  /**
   * Replaces `from` by `to`, both sealed, and records the event in one transaction; returns false
   * and changes nothing if the stored value has changed. Of concurrent rotations, one succeeds.
   */
  replaceNonceSecrets(from: string, to: string, event: AuditEvent): Promise<boolean>;
}
