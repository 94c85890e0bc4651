import type { AdminScope } from '../domain/admin-access.ts';
import type { AuditEvent } from '../domain/audit-event.ts';

/** A named token of the admin API, without the token. Times in milliseconds since the epoch. */
export interface AdminToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly AdminScope[];
  readonly createdAt: number;
  /** The admin who made it. */
  readonly createdBy: string;
  readonly expiresAt?: number;
  readonly lastUsedAt?: number;
  /** Until when the token before the last rotation counts. */
  readonly previousUntil?: number;
}

/** What a rotation sets. */
export interface AdminTokenRotation {
  readonly hash: string;
  readonly previousUntil: number;
  readonly expiresAt?: number | undefined;
  /**
   * What becomes of a token before the last rotation that counts at `now`. `refused`: nothing is
   * rotated; `kept`: it counts on, and the one after it ends, which nobody has got.
   */
  readonly earlier: 'refused' | 'ended' | 'kept';
  readonly now: number;
}

/** Admin tokens, each by its hash alone. Every method throws StoreUnavailable. */
export interface AdminTokens {
  /** The token with this hash that counts at `now`: not expired, nor rotated away. */
  findCurrent(hash: string, now: number): Promise<AdminToken | undefined>;
  /** The hashes of all tokens that count at `now`. */
  currentHashes(now: number): Promise<readonly string[]>;
  get(id: string): Promise<AdminToken | undefined>;
  /** In the order of the identifiers. */
  list(query: { readonly limit: number; readonly after?: string }): Promise<readonly AdminToken[]>;
  /** False: the name is taken. */
  create(token: AdminToken, hash: string, event: AuditEvent): Promise<boolean>;
  /** Replaces the token by another one; false when there is none, or none to keep, or refused. */
  rotate(id: string, rotation: AdminTokenRotation, event: AuditEvent): Promise<boolean>;
  /** False: there is none. */
  remove(id: string, event: AuditEvent): Promise<boolean>;
  noteUse(id: string, at: number): Promise<void>;
}
