import { generations } from './generations.ts';
import { type PublicKey, readPublicKey } from './public-key.ts';

/** Keys of a generation, and the longest JWK text that is worth it: two generations are a few tens of megabytes. */
const [maxKeys, maxLength] = [10_000, 4096];

/**
 * The gate for keys that are met again and again: a JWK that has passed it needs no second look, and importing a key costs as much as checking
 * a signature. Refusals are not remembered.
 */
export function gatedKeys(): typeof readPublicKey {
  const passed = generations<PublicKey>(maxKeys);
  return (jwk) => {
    // The text has every member in its order, so no other JWK can have it.
    const text = JSON.stringify(jwk) as string | undefined;
    if (text === undefined || text.length > maxLength) return readPublicKey(jwk);
    const known = passed.get(text);
    if (known !== undefined) return known;
    const key = readPublicKey(jwk);
    passed.set(text, key);
    return key;
  };
}
