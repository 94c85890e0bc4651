import { hash } from 'node:crypto';
import { boundedCache } from './bounded-cache.ts';
import { keyBytes } from './key-bytes.ts';
import { type PublicKey, readPublicKey } from './public-key.ts';

/** Some 1,400 keys. */
const maxBytes = 8 * 1024 * 1024;

/**
 * The gate for keys that are met again and again: a JWK that has passed it needs no second look,
 * and importing a key costs as much as checking a signature. Refusals are not remembered.
 */
export function publicKeyCache(): typeof readPublicKey {
  const passed = boundedCache<PublicKey>(maxBytes);
  return (jwk) => {
    // The text has every member in its order, so no other JWK can have it.
    const text = JSON.stringify(jwk) as string | undefined;
    if (text === undefined) return readPublicKey(jwk);
    const digest = hash('sha256', text, 'base64url');
    const known = passed.get(digest);
    if (known !== undefined) return known;
    const key = readPublicKey(jwk);
    passed.set(digest, key, keyBytes(key));
    return key;
  };
}
