import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Acceptable } from '../single-use.ts';

/** What the server says of a nonce that a proof carries. Its own time decides how long that stands. */
export type NonceVerdict = { readonly valid: true; readonly newest: boolean; readonly acceptable: Acceptable } | { readonly valid: false };

/** Stateless nonces that every replica with the same secret makes and accepts (RFC 9449 §8). */
export interface DpopNonces {
  /** The newest nonce: 27 base64url characters, all of them NQCHAR. */
  current(): string;
  check(nonce: unknown): NonceVerdict;
}

/**
 * A nonce names a time slot and proves it by a MAC. The slot before and the slot after pass too, so that a nonce handed out at the end of a slot,
 * or by a replica whose clock runs ahead, still serves.
 * @param secret at least 32 octets, shared by all replicas
 * @param lifetime seconds for which a nonce is good at least; one slot lasts as long
 */
export function dpopNonces(secret: Buffer, lifetime: number, clock: () => number): DpopNonces {
  const currentSlot = () => Math.floor(clock() / 1000 / lifetime);
  const nonceOf = (slot: number) => {
    const time = Buffer.alloc(4);
    time.writeUInt32BE(slot % 2 ** 32);
    const mac = createHmac('sha256', secret).update('DPoP-Nonce').update(time).digest().subarray(0, 16);
    return Buffer.concat([time, mac]).toString('base64url');
  };
  return {
    current: () => nonceOf(currentSlot()),
    check(nonce) {
      if (typeof nonce !== 'string' || nonce.length !== 27) return { valid: false };
      const slot = currentSlot();
      const match = [slot, slot - 1, slot + 1].find((candidate) => sameText(nonceOf(candidate), nonce));
      if (match === undefined) return { valid: false };
      return { valid: true, newest: match >= slot, acceptable: { from: (match - 1) * lifetime, until: (match + 2) * lifetime } };
    },
  };
}

/**
 * For client authors who test their retry (RFC 9449 §8): valid nonces are refused by chance, as if they were stale.
 * @param percent share of the valid nonces that is refused, 0 to 90
 * @param draw a random whole number from 0 to 99
 */
export function refusingSome(nonces: DpopNonces, percent: number, draw: () => number): DpopNonces {
  return { ...nonces, check: (nonce) => (percent > 0 && draw() < percent ? { valid: false } : nonces.check(nonce)) };
}

function sameText(expected: string, presented: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(presented)];
  return a.length === b.length && timingSafeEqual(a, b);
}
