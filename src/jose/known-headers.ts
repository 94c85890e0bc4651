import { type Generations, generations } from './generations.ts';
import type { PublicKey } from './public-key.ts';

/** A header whose key has passed the gate and has signed. */
export interface KnownHeader {
  readonly header: Readonly<Record<string, unknown>>;
  readonly key: PublicKey;
}

/** Headers of a generation, and the longest text that is worth it: two generations are a few tens of megabytes. */
const [maxHeaders, maxLength] = [10_000, 4096];

/**
 * Headers of proofs by their encoded text. A client sends the same one with each proof by a key: what has been parsed, has passed the gate and has
 * been seen to sign needs no second look, for importing a key costs as much as checking a signature. The signature itself is checked every time.
 */
export function knownHeaders(): Generations<KnownHeader> {
  const known = generations<KnownHeader>(maxHeaders);
  return {
    get: known.get,
    set(encoded, header) {
      if (encoded.length <= maxLength) known.set(encoded, header);
    },
  };
}
