import type { AuditEvent, RecordedEvent } from '../domain/audit-event.ts';

/** The append-only record of everything that matters. */
export interface AuditTrail {
  /** Resolves when the record is durable. Throws StoreUnavailable. */
  record(event: AuditEvent): Promise<void>;
}

/** A query of the audit trail; times in milliseconds since the epoch. */
export interface AuditQuery {
  readonly limit: number;
  /** Entries after this `id`. */
  readonly after?: string;
  readonly type?: string;
  readonly client_id?: string;
  readonly jkt?: string;
  readonly jti?: string;
  readonly since?: number;
  readonly until?: number;
}

/**
 * Milliseconds after which no older event appears: longer than any commit and any difference of the
 * replicas' clocks, unless a replica was stopped between naming an event and writing it.
 */
export const followDelay = 60_000;

/** The trail as the admin reads it, oldest first. */
export interface AuditLog {
  list(query: AuditQuery): Promise<readonly RecordedEvent[]>;
}
