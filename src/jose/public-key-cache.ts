import { hash } from 'node:crypto';
import { boundedCache } from './bounded-cache.ts';
import { keyBytes } from './key-bytes.ts';
import { type PublicKey, readPublicKey } from './public-key.ts';

/** Enough for about 1,400 keys. */
const maxBytes = 8 * 1024 * 1024;

/**
 * `readPublicKey` with a cache of accepted keys, because importing a key costs as much as verifying
 * a signature. Refusals are not cached.
 */
export function publicKeyCache(): typeof readPublicKey {
  const passed = boundedCache<PublicKey>(maxBytes);
  return (jwk) => {
    // No other JWK has this text: it contains every member in order.
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
