import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(8192);
let used = pool.length;

/**
 * Random octets for identifiers (`jti`, request ids), at most 8192; none is given out twice. Drawn from the system many at a time, for a call
 * of its own costs more than all else that an identifier takes. Keys and secrets are not made of these: they never lie in a pool.
 */
export function randomBytesOf(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  // A copy: what was given out does not change when the pool is filled again.
  return Buffer.from(pool.subarray(used - count, used));
}
