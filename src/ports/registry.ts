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
  /** What made it, where that was no single request. */
  readonly managedBy?: string;
}

export interface ListQuery {
  /** At most this many items. */
  readonly limit: number;
  /** Start after the item with this identifier. */
  readonly after?: string;
  /** Only items whose name contains this text, without regard to ASCII case. */
  readonly name?: string;
  /** True: only those that a declared configuration made. */
  readonly managed?: boolean | undefined;
}

/** Registrations that could be read, of one page. */
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

/** A declared configuration: it removes only what it made. */
export type ManagedBy = 'configuration';

/** A change of a registration. */
export interface RegistrationChange extends Change {
  /** Of a creation: what makes it, where that is no single request. */
  readonly managedBy?: ManagedBy;
  /** Thumbprints of keys that a client has no more: tokens bound to them are revoked. */
  readonly keysRemoved?: readonly string[];
  /**
   * `client_id` of those whose keys a client lets nobody add to its tokens any more: what they got
   * in exchange for its tokens is revoked with it.
   */
  readonly holdersRemoved?: readonly string[];
}

/** Answers of `replace` and `remove` when nothing was changed. */
export type NotChanged = 'not_found' | 'version_mismatch' | 'conflict';

/**
 * Registrations of one kind. Every change is one transaction with its record; all throw
 * StoreUnavailable when the store is away.
 */
export interface Registry<T> {
  /** Stores a new registration. `conflict`: its identifier, or audience, is taken. */
  create(value: T, change: RegistrationChange): Promise<Stored<T> | 'conflict'>;
  get(id: string): Promise<Stored<T> | undefined>;
  /** Lists registrations by identifier. */
  list(query: ListQuery): Promise<readonly Stored<T>[]>;
  /** The same without rows that cannot be read. `next`: continue after it; undefined at the end. */
  listIntact(query: ListQuery): Promise<IntactPage<T>>;
  /** Replaces the registration if it is still as `found`. */
  replace(value: T, found: Stored<T>, change: RegistrationChange): Promise<Stored<T> | NotChanged>;
  /**
   * Deletes a registration, whatever it is now, or only if it is still as `found`. The tokens of a
   * deleted client are revoked with all that came of them, and its pairings are deleted: a later
   * client of this id is another one.
   */
  remove(
    id: string,
    change: RegistrationChange,
    found?: Stored<T>,
  ): Promise<'removed' | NotChanged>;
}

export type ClientRegistry = Registry<ClientRegistration>;
export type ResourceServerRegistry = Registry<ResourceServer>;
