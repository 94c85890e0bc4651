import { boundedCache } from '../../../jose/bounded-cache.ts';
import type { JwkSetDocument } from './jwk-set.ts';

/** A JWK Set that was fetched. */
export interface Copy {
  readonly jwks: JwkSetDocument;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** A digest of its members, by which two copies are compared. */
  readonly digest: string;
  /** Its size in bytes, including imported keys. */
  readonly bytes: number;
}

/** The copies of one URI. */
export interface Copies {
  /** The copy that decides which keys are registered. */
  readonly inForce: Copy;
  /** A later, different copy; none of its keys has verified a signature yet. */
  readonly newer?: Copy;
}

/** Maximum bytes of the copies of a URI that count as small. */
const small = 32 * 1024;

/**
 * The copies by URI. Large ones have a separate quarter of the space, so that they evict no small
 * ones.
 */
export function heldCopies(maxBytes: number) {
  const smallOnes = boundedCache<Copies>((maxBytes * 3) / 4);
  const largeOnes = boundedCache<Copies>(maxBytes / 4);
  return {
    get: (key: string): Copies | undefined => smallOnes.get(key) ?? largeOnes.get(key),
    set(key: string, copies: Copies): void {
      const bytes = copies.inForce.bytes + (copies.newer?.bytes ?? 0);
      const [kept, other] = bytes <= small ? [smallOnes, largeOnes] : [largeOnes, smallOnes];
      other.delete(key);
      kept.set(key, copies, bytes);
    },
    bytes: (): number => smallOnes.bytes() + largeOnes.bytes(),
  };
}
