import type { PublicKey } from '../../jose/public-key.ts';

/** Every `kid` that different keys share, so that it identifies none of them (RFC 7517 §4.5). */
export function repeatedKids(keys: readonly PublicKey[]): ReadonlySet<string> {
  const named = new Map<string, string>();
  const repeated = new Set<string>();
  for (const { kid, jkt } of keys) {
    if (kid === undefined) continue;
    if ((named.get(kid) ?? jkt) !== jkt) repeated.add(kid);
    named.set(kid, jkt);
  }
  return repeated;
}

/** The same keys, without a `kid` that different keys share. */
export function withoutRepeatedKids(keys: readonly PublicKey[]): readonly PublicKey[] {
  const repeated = repeatedKids(keys);
  if (repeated.size === 0) return keys;
  return keys.map((key) => {
    const { kid, ...unnamed } = key;
    return kid !== undefined && repeated.has(kid) ? unnamed : key;
  });
}
