import type { StoredSigningKey } from './signing-key-store.ts';

/** Announced: published, does not sign yet. Retired: signs no more, published until its last token has expired. */
export type SigningKeyState = 'announced' | 'active' | 'retired' | 'removed' | 'revoked';

/** A key in its life at one moment. Times in milliseconds since the epoch. */
export interface KeyInLife {
  readonly key: StoredSigningKey;
  readonly state: SigningKeyState;
  readonly retiredAt?: number;
  readonly removedAt?: number;
}

/**
 * Where each key is in its life at `now`. It follows from the instants in the store alone, so that all replicas see the same: a key
 * retires when a later one of its algorithm becomes active, and leaves the JWK Set `published` milliseconds after that.
 */
export function livesAt(keys: readonly StoredSigningKey[], now: number, published: number): readonly KeyInLife[] {
  return keys.map((key) => {
    if (key.revokedAt !== undefined) return { key, state: 'revoked' };
    const successors = keys.filter((other) => other.alg === key.alg && other.revokedAt === undefined && isLater(other, key));
    if (successors.length === 0) return { key, state: key.activeAt > now ? 'announced' : 'active' };
    const retiredAt = Math.min(...successors.map(({ activeAt }) => activeAt));
    const removedAt = retiredAt + published;
    const state = key.activeAt > now ? 'announced' : retiredAt > now ? 'active' : removedAt > now ? 'retired' : 'removed';
    return { key, state, retiredAt, removedAt };
  });
}

function isLater(one: StoredSigningKey, other: StoredSigningKey): boolean {
  return one.activeAt > other.activeAt || (one.activeAt === other.activeAt && one.kid > other.kid);
}
