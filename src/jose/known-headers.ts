import type { PublicKey } from './public-key.ts';

/** A header whose key has passed the gate and has signed. */
export interface KnownHeader {
  readonly header: Readonly<Record<string, unknown>>;
  readonly key: PublicKey;
}

/** Headers remembered, and the longest text that is worth it: together a few tens of megabytes at most. */
const [maxHeaders, maxLength] = [10_000, 4096];

/**
 * Headers of proofs by their encoded text. A client sends the same one with each proof by a key: what has been parsed, has passed the gate and has
 * been seen to sign needs no second look, for importing a key costs as much as checking a signature. The signature itself is checked every time.
 * A plain Map, for resource servers use this file too, without other libraries: beyond the limit all are forgotten, and merely looked at once more.
 */
export function knownHeaders(): { find(encoded: string): KnownHeader | undefined; remember(encoded: string, known: KnownHeader): void } {
  const known = new Map<string, KnownHeader>();
  return {
    find: (encoded) => known.get(encoded),
    remember(encoded, header) {
      if (encoded.length > maxLength) return;
      if (known.size >= maxHeaders) known.clear();
      known.set(encoded, header);
    },
  };
}
