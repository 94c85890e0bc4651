import type { AuditEvent } from '../domain/audit-event.ts';

/** The key that has a token, by thumbprint. */
export interface ClaimedKey {
  readonly jkt: string;
  /** True: it stays with this key until it expires. */
  readonly pinned: boolean;
}

/** Which key was proven with a token that is shown many times. Throws StoreUnavailable. */
export interface AssertionKeys {
  /**
   * Claims the token for this key until `expiresAt` (seconds since the epoch), unless one has
   * claimed it before, and answers the key that has it. `pin` makes a claim of this key stay. Of
   * any number of concurrent claims one statement counts, on every replica.
   */
  claim(token: string, jkt: string, expiresAt: number, pin: boolean): Promise<ClaimedKey>;
  /**
   * Puts another key in the place of `from`, unless that is pinned, and records that in the same
   * transaction; of concurrent changes from one key one does. False: nothing changed.
   */
  change(token: string, from: string, to: string, event: AuditEvent): Promise<boolean>;
}
