import { type PublicKey, readPublicKey } from './public-key.ts';

/** Keys remembered, and the longest JWK text that is worth it: together a few tens of megabytes at most. */
const [maxKeys, maxLength] = [10_000, 4096];

/**
 * The gate for keys that come with every request, such as those in DPoP proofs: a JWK that has passed it needs no second look, and importing a key
 * costs as much as checking a signature. The signature itself is checked every time. Refusals are not remembered.
 */
export function gatedKeys(): typeof readPublicKey {
  // A plain Map, for resource servers use this file too, without other libraries: beyond the limit all keys are forgotten, and merely looked at once more.
  const passed = new Map<string, PublicKey>();
  return (jwk) => {
    // The text has every member in its order, so no other JWK can have it.
    const text = JSON.stringify(jwk) as string | undefined;
    if (text === undefined || text.length > maxLength) return readPublicKey(jwk);
    const known = passed.get(text);
    if (known !== undefined) return known;
    const key = readPublicKey(jwk);
    if (passed.size >= maxKeys) passed.clear();
    passed.set(text, key);
    return key;
  };
}
