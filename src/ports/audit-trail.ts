import type { AuditEvent, RecordedEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';

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
 * Milliseconds after which no older event appears: longer than any commit and any clock difference
 * of the replicas, unless a replica was stopped between naming an event and writing it.
 */
export const followDelay = 60_000;

/** The time before which no more events appear, if both clocks are right. */
export async function settledTime({
  clock,
  databaseSeconds,
}: {
  readonly clock: Clock;
  readonly databaseSeconds: () => Promise<number>;
}): Promise<number> {
  // A reader never goes back, so a clock that is ahead would make it skip events yet to come.
  return Math.min(clock(), (await databaseSeconds()) * 1000) - followDelay;
}

/** The trail as the admin reads it, oldest first. */
export interface AuditLog {
  list(query: AuditQuery): Promise<readonly RecordedEvent[]>;
}
