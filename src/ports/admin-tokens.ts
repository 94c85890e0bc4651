import type { AdminScope } from '../domain/admin-access.ts';
import type { AuditEvent } from '../domain/audit-event.ts';

/** A named token of the admin API, without the token. Times in milliseconds since the epoch. */
export interface AdminToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly AdminScope[];
  readonly createdAt: number;
  /** The admin who created it. */
  readonly createdBy: string;
  readonly expiresAt?: number;
  readonly lastUsedAt?: number;
  /** When the token before the last rotation expires. */
  readonly previousUntil?: number;
}

/** The changes of a rotation. */
export interface AdminTokenRotation {
  readonly hash: string;
  readonly previousUntil: number;
  readonly expiresAt?: number | undefined;
  /**
   * How to treat a token from before the last rotation that is valid at `now`. `refused`: nothing
   * is rotated; `kept`: it stays valid, and its successor, which nobody has received, expires.
   */
  readonly earlier: 'refused' | 'ended' | 'kept';
  readonly now: number;
}

/** Admin tokens, stored only as hashes. Every method throws StoreUnavailable. */
export interface AdminTokens {
  /** The token with this hash if it is valid at `now`: neither expired nor rotated away. */
  findCurrent(hash: string, now: number): Promise<AdminToken | undefined>;
  /** The hashes of all tokens that are valid at `now`. */
  currentHashes(now: number): Promise<readonly string[]>;
  get(id: string): Promise<AdminToken | undefined>;
  /** Lists tokens in the order of their identifiers. */
  list(query: { readonly limit: number; readonly after?: string }): Promise<readonly AdminToken[]>;
  /** False: the name is taken. */
  create(token: AdminToken, hash: string, event: AuditEvent): Promise<boolean>;
  /** Replaces the token; false if there is none, there is none to keep, or this was refused. */
  rotate(id: string, rotation: AdminTokenRotation, event: AuditEvent): Promise<boolean>;
  /** False: no such token. */
  remove(id: string, event: AuditEvent): Promise<boolean>;
  noteUse(id: string, at: number): Promise<void>;
}
