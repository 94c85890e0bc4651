import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Acceptable } from '../../domain/single-use.ts';

/** The verdict on the nonce of a proof. */
export type NonceVerdict =
  | { readonly valid: true; readonly newest: boolean; readonly acceptable: Acceptable }
  | {
      readonly valid: false;
      /** Present if it is refused all the same. */
      readonly acceptable?: Acceptable;
    };

/** A secret from which nonces are derived. */
export interface NonceSecret {
  /** At least 32 bytes. */
  readonly secret: Buffer;
  /** Start of its use, which the next secret ends; milliseconds since the epoch. */
  readonly from: number;
}

/** Stateless nonces that every replica with the same secrets issues and accepts (RFC 9449 §8). */
export interface DpopNonces {
  /** The newest nonce: 27 base64url characters, all of them NQCHAR. */
  current(): string;
  check(nonce: unknown): NonceVerdict;
}

/**
 * A nonce names a time slot and proves it by a MAC. The adjacent slots pass too, for a nonce issued
 * at the end of a slot or by a replica whose clock is ahead. A future secret is already accepted; a
 * past one only for slots that began in its time, so that a secret leaked later extends no nonce.
 * @param secrets shared by all replicas, oldest first, never empty
 * @param lifetime minimum seconds for which a nonce is good; also the length of a slot
 */
export function dpopNonces(
  secrets: () => readonly NonceSecret[],
  lifetime: number,
  clock: () => number,
): DpopNonces {
  const slotAt = (now: number) => Math.floor(now / 1000 / lifetime);
  // If this clock is behind that of the only secret's creator, that secret is used anyway.
  const inUse = (now: number) => secrets().findLast(({ from }) => from <= now) ?? secrets()[0];
  const nonceOf = (secret: Buffer, slot: number) => {
    const time = Buffer.alloc(4);
    time.writeUInt32BE(slot % 2 ** 32);
    const mac = createHmac('sha256', secret)
      .update('DPoP-Nonce')
      .update(time)
      .digest()
      .subarray(0, 16);
    return Buffer.concat([time, mac]).toString('base64url');
  };
  return {
    current() {
      const now = clock();
      const made = inUse(now);
      if (made === undefined) throw new Error('there is no secret to make nonces with');
      return nonceOf(made.secret, slotAt(now));
    },
    check(nonce) {
      if (typeof nonce !== 'string' || nonce.length !== 27) return { valid: false };
      const now = clock();
      const slot = slotAt(now);
      const match = secrets()
        .flatMap(({ secret }, index, all) => {
          const until = all[index + 1]?.from ?? Number.POSITIVE_INFINITY;
          return [slot + 1, slot - 1, slot]
            .filter((begun) => begun * lifetime * 1000 < until)
            .map((begun) => ({ begun, secret, until }));
        })
        .findLast(({ begun, secret }) => sameText(nonceOf(secret, begun), nonce));
      if (match === undefined) return { valid: false };
      const { begun, until } = match;
      return {
        valid: true,
        newest: begun >= slot && until > now,
        acceptable: { from: (begun - 1) * lifetime, until: (begun + 2) * lifetime },
      };
    },
  };
}

/**
 * Refuses valid nonces at random, as if stale, so that client authors can test their retry (RFC
 * 9449 §8).
 * @param percent share of the valid nonces that is refused, 0 to 90
 * @param draw a random whole number from 0 to 99
 */
export function refusingSome(nonces: DpopNonces, percent: number, draw: () => number): DpopNonces {
  return {
    ...nonces,
    check(nonce) {
      const verdict = nonces.check(nonce);
      return percent > 0 && draw() < percent ? { ...verdict, valid: false } : verdict;
    },
  };
}

function sameText(expected: string, presented: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(presented)];
  return a.length === b.length && timingSafeEqual(a, b);
}
