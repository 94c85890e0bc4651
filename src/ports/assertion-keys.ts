import type { AuditEvent } from '../domain/audit-event.ts';

/** Which key was proven with a token that is shown many times. Throws StoreUnavailable. */
export interface AssertionKeys {
  /**
   * Claims the token for this key until `expiresAt` (seconds since the epoch), unless one has
   * claimed it before, and answers the key that has it, both by thumbprint. Of any number of
   * concurrent claims one statement counts, on every replica.
   */
  claim(token: string, jkt: string, expiresAt: number): Promise<string>;
  /**
   * Puts another key in the place of `from`, and records that in the same transaction; of
   * concurrent changes from one key one does.
   */
  change(token: string, from: string, to: string, event: AuditEvent): Promise<void>;
}
