import type { PublicKey } from '../../jose/public-key.ts';

/** Keys of different types may share a `kid` (RFC 7517 §4.5): the algorithm tells them apart. */
const nameOf = ({ kid, jwk }: PublicKey): string => `${jwk['kty']} ${kid}`;

/** Whether different keys of one type share a `kid`. */
export function repeatsKid(keys: readonly PublicKey[]): boolean {
  return repeatedNames(keys).size > 0;
}

/** The same keys, without a `kid` that different keys of one type share. */
export function withoutRepeatedKids(keys: readonly PublicKey[]): readonly PublicKey[] {
  const repeated = repeatedNames(keys);
  if (repeated.size === 0) return keys;
  return keys.map((key) => {
    const { kid: _, ...unnamed } = key;
    return repeated.has(nameOf(key)) ? unnamed : key;
  });
}

function repeatedNames(keys: readonly PublicKey[]): ReadonlySet<string> {
  const named = new Map<string, string>();
  const repeated = new Set<string>();
  for (const key of keys) {
    if (key.kid === undefined) continue;
    const name = nameOf(key);
    if ((named.get(name) ?? key.jkt) !== key.jkt) repeated.add(name);
    named.set(name, key.jkt);
  }
  return repeated;
}
