import { AsyncLocalStorage } from 'node:async_hooks';
import type { AdminScope } from './admin-access.ts';

/** An admin who has authenticated. */
export interface ActingAdmin {
  /** Name of the token; `bootstrap`; or `client:ID`, which no token is called. */
  readonly name: string;
  /** Of the token or of the client's registration; absent where no other can have the name. */
  readonly id?: string;
  readonly scopes: readonly AdminScope[];
  /** When its token ends, in milliseconds since the epoch; absent: never, or that of a client. */
  readonly expiresAt?: number;
  /** True: what it makes may last longer, because nobody else could make what lasts. */
  readonly makesLasting?: boolean;
  /** Milliseconds that the tokens it makes may last; absent: as long as its own. */
  readonly maxTokenLifetime?: number;
}

/** `createdBy` of a token that `holdfast admin-token reset` made; no admin has this name. */
export const madeByReset = 'reset';

const acting = new AsyncLocalStorage<ActingAdmin>();

/**
 * Does the work of an admin's request. Whatever is recorded meanwhile as done by `admin` names this
 * one: no route can forget it.
 */
export function actingAs(admin: ActingAdmin, work: () => void): void {
  acting.run(admin, work);
}

/** What an admin is called in records: `NAME#ID`, because a name can be given again. */
export function recordedName({ name, id }: ActingAdmin): string {
  return id === undefined ? name : `${name}#${id}`;
}

/** On whose behalf this is done; undefined where it is done for no admin. */
export function actingAdmin(): ActingAdmin | undefined {
  return acting.getStore();
}
