import { actingAdmin } from '../domain/acting-admin.ts';
import type { AdminScope } from '../domain/admin-access.ts';
import { Problem } from './problem.ts';

/** Refuses giving or taking scopes that the admin lacks. Throws Problem. */
export function checkWithinOwn(scopes: readonly AdminScope[], member?: string): void {
  const own = actingAdmin()?.scopes ?? [];
  const beyond = scopes.find((scope) => !own.includes(scope));
  if (beyond !== undefined)
    throw new Problem(403, `only an admin with the scope ${beyond} can give or take it`, member);
}

/** Latest expiry of anything this admin creates, in milliseconds since the epoch. */
export function ownEnd(): number {
  const { expiresAt = Infinity, makesLasting = false } = actingAdmin() ?? {};
  return makesLasting ? Infinity : expiresAt;
}

/**
 * Refuses an expiry beyond the admin's own limits. `end` in seconds, `now` in milliseconds since
 * the epoch. Throws Problem.
 */
export function checkExpiry(end: number | undefined, now: number): void {
  if (end !== undefined && end * 1000 <= now)
    throw new Problem(400, 'expires_at must be in the future', 'expires_at');
  const { maxTokenLifetime = Infinity } = actingAdmin() ?? {};
  const last = Math.min(ownEnd(), now + maxTokenLifetime);
  if ((end ?? Infinity) * 1000 <= last) return;
  throw new Problem(
    403,
    `expires_at is needed, and must be at most ${Math.floor(last / 1000)} for this admin`,
    'expires_at',
  );
}
