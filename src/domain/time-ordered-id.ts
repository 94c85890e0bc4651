import { randomBytes } from 'node:crypto';

const base32hex = '0123456789abcdefghijklmnopqrstuv';

/**
 * An identifier that sorts by time: ten base32hex characters (RFC 4648 §7) of milliseconds since
 * the epoch, then 160 random bits. A token's `jti` and the audit event of its issuance share one,
 * so that either is found by the other's primary key.
 */
export function timeOrderedId(now: number): string {
  let id = timePrefix(now);
  for (const byte of randomBytes(32)) id += base32hex[byte & 31];
  return id;
}

/** The first ten characters of every identifier made at this time, in milliseconds. */
export function timePrefix(now: number): string {
  return Math.max(Math.floor(now), 0).toString(32).padStart(10, '0');
}

/** When an identifier was made, in milliseconds since the epoch. */
export function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 10), 32);
}
