/** Registrations for the admin API, with versions against lost updates (RFC 9110 §13.1.1). */
import type { AuditEvent } from '../domain/audit-event.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import type { ResourceServer } from '../domain/resource-server.ts';

/** A registration with what the store knows about it. Times in milliseconds since the epoch. */
export interface Stored<T> {
  readonly value: T;
  /** Grows by one with every change; the entity tag of the registration. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** What created it, if not a single request. */
  readonly managedBy?: string;
}

export interface ListQuery {
  /** At most this many items. */
  readonly limit: number;
  /** Start after the item with this identifier. */
  readonly after?: string;
  /** Only items whose name contains this text, ignoring ASCII case. */
  readonly name?: string;
  /** True: only those created by a declared configuration. */
  readonly managed?: boolean | undefined;
}

/** One page of the registrations that could be read. */
export interface IntactPage<T> {
  readonly values: readonly T[];
  readonly next: string | undefined;
}

/** The time and the record of a change. */
export interface Change {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly event: AuditEvent;
}

/** A declared configuration removes only what it created. */
export type ManagedBy = 'configuration';

/** A change of a registration. */
export interface RegistrationChange extends Change {
  /** For a creation: what creates it, if not a single request. */
  readonly managedBy?: ManagedBy;
  /** Thumbprints of keys that a client no longer has; tokens bound to them are revoked. */
  readonly keysRemoved?: readonly string[];
  /**
   * `client_id` of the holders whose keys a client no longer allows in its tokens; what they got in
   * exchange for its tokens is revoked too.
   */
  readonly holdersRemoved?: readonly string[];
}

/** Results of `replace` and `remove` if nothing was changed. */
export type NotChanged = 'not_found' | 'version_mismatch' | 'conflict';

/**
 * Registrations of one kind. Every change is one transaction with its record; all throw
 * StoreUnavailable if the store is unavailable.
 */
export interface Registry<T> {
  /** Stores a new registration. `conflict`: its identifier, or audience, is taken. */
  create(value: T, change: RegistrationChange): Promise<Stored<T> | 'conflict'>;
  get(id: string): Promise<Stored<T> | undefined>;
  /** Lists registrations by identifier. */
  list(query: ListQuery): Promise<readonly Stored<T>[]>;
  /** The same without unreadable rows. `next`: continue after it; undefined at the end. */
  listIntact(query: ListQuery): Promise<IntactPage<T>>;
  /** Replaces the registration if it is still the same as `found`. */
  replace(value: T, found: Stored<T>, change: RegistrationChange): Promise<Stored<T> | NotChanged>;
  /**
   * Deletes a registration, unconditionally or only if it is still the same as `found`. The tokens
   * of a deleted client are revoked with all that came of them, and its pairings are deleted: a
   * later client with this id is a different one.
   */
  remove(
    id: string,
    change: RegistrationChange,
    found?: Stored<T>,
  ): Promise<'removed' | NotChanged>;
}

export type ClientRegistry = Registry<ClientRegistration>;
export type ResourceServerRegistry = Registry<ResourceServer>;
