import { AsyncLocalStorage } from 'node:async_hooks';
import type { AdminScope } from './admin-access.ts';

/** An admin who has authenticated. */
export interface ActingAdmin {
  /** Name of the token, `bootstrap`, or `client:ID`, which no token can have as its name. */
  readonly name: string;
  /** Id of the token or of the client's registration; absent if nobody else can have the name. */
  readonly id?: string;
  readonly scopes: readonly AdminScope[];
  /** Expiry of its token, in milliseconds since the epoch; absent: none, or a client's token. */
  readonly expiresAt?: number;
  /** True: what it creates may last longer, because nobody else could create what lasts. */
  readonly makesLasting?: boolean;
  /** Maximum lifetime in milliseconds of the tokens it creates; absent: as long as its own. */
  readonly maxTokenLifetime?: number;
}

/** `createdBy` of a token created by `holdfast admin-token reset`; no admin has this name. */
export const madeByReset = 'reset';

const acting = new AsyncLocalStorage<ActingAdmin>();

/**
 * Does the work of an admin's request. Every record by `admin` during the work names this one, so
 * no route can forget it.
 */
export function actingAs(admin: ActingAdmin, work: () => void): void {
  acting.run(admin, work);
}

/** The name of an admin in records, `NAME#ID`, because a name can be reused. */
export function recordedName({ name, id }: ActingAdmin): string {
  return id === undefined ? name : `${name}#${id}`;
}

/** The admin on whose behalf this runs, or undefined. */
export function actingAdmin(): ActingAdmin | undefined {
  return acting.getStore();
}
