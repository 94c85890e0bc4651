import { type PublicKey, readPublicKey } from './public-key.ts';

/** Keys of a generation, and the longest JWK text that is worth it: two generations are a few tens of megabytes. */
const [maxKeys, maxLength] = [10_000, 4096];

/**
 * The gate for keys that come with every request, such as those in DPoP proofs: a JWK that has passed it needs no second look, and importing a key
 * costs as much as checking a signature. The signature itself is checked every time. Refusals are not remembered.
 */
export function gatedKeys(): typeof readPublicKey {
  // Plain Maps, for resource servers use this file too, without other libraries: when a generation is full, those of the one before that were
  // not met again are forgotten, and merely looked at once more.
  let [passed, before] = [new Map<string, PublicKey>(), new Map<string, PublicKey>()];
  return (jwk) => {
    // The text has every member in its order, so no other JWK can have it.
    const text = JSON.stringify(jwk) as string | undefined;
    if (text === undefined || text.length > maxLength) return readPublicKey(jwk);
    const known = passed.get(text);
    if (known !== undefined) return known;
    const key = before.get(text) ?? readPublicKey(jwk);
    if (passed.size >= maxKeys) [passed, before] = [new Map(), passed];
    passed.set(text, key);
    return key;
  };
}
