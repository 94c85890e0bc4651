import type { AuditEvent } from '../domain/audit-event.ts';

/** The key that has claimed a token, by thumbprint. */
export interface ClaimedKey {
  readonly jkt: string;
  /** True: it stays with this key until it expires. */
  readonly pinned: boolean;
}

/** Which key was proven with a reusable token. Throws StoreUnavailable. */
export interface AssertionKeys {
  /**
   * Claims the token for this key until `expiresAt` (seconds since the epoch) unless another has,
   * and returns the key that holds it; `pin` makes this key's claim permanent. Of any number of
   * concurrent claims, one succeeds across all replicas.
   */
  claim(token: string, jkt: string, expiresAt: number, pin: boolean): Promise<ClaimedKey>;
  /**
   * Replaces `from` by another key unless it is pinned, and records that in the same transaction;
   * of concurrent changes from one key, one succeeds. False: nothing changed.
   */
  change(token: string, from: string, to: string, event: AuditEvent): Promise<boolean>;
}
