/** What the admin API needs from the store: registrations with a version, so that a lost update is noticed (RFC 9110 §13.1.1). */
import type { ClientRegistration } from '../client-registration.ts';
import type { ResourceServer } from '../resource-server.ts';

/** A stored registration with what the store knows about it. Times are milliseconds since the epoch. */
export interface Stored<T> {
  readonly value: T;
  /** Grows by one with every change; the entity tag of the registration. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface ListQuery {
  /** At most this many items. */
  readonly limit: number;
  /** Start after the item with this identifier. */
  readonly after?: string;
  /** Only items whose name contains this text, without regard to ASCII case. */
  readonly name?: string;
}

/** Answers of `replace` and `remove` when nothing was changed. */
export type NotChanged = 'not_found' | 'version_mismatch' | 'conflict';

/** Registrations of one kind. Every call is one atomic statement or transaction; all throw StoreUnavailable when the store is away. */
export interface Registry<T> {
  /** `conflict`: the identifier (for a resource server also the audience) is taken. */
  create(value: T, at: number): Promise<Stored<T> | 'conflict'>;
  get(id: string): Promise<Stored<T> | undefined>;
  /** In the order of the identifiers. */
  list(query: ListQuery): Promise<readonly Stored<T>[]>;
  /** Replaces the registration if it is still at `version`. */
  replace(value: T, version: number, at: number): Promise<Stored<T> | NotChanged>;
  /**
   * Deletes the registration, whatever its version, or only at `version` when one is given. The tokens of a client that is deleted are revoked with it,
   * so that a later client of this id does not bring them back.
   */
  remove(id: string, at: number, version?: number): Promise<'removed' | NotChanged>;
}

export type ClientRegistry = Registry<ClientRegistration>;
export type ResourceServerRegistry = Registry<ResourceServer>;
