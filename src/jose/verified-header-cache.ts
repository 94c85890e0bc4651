import { hash } from 'node:crypto';
import { boundedCache } from './bounded-cache.ts';
import { keyBytes } from './key-bytes.ts';
import type { PublicKey } from './public-key.ts';

/** What counts of a header that was parsed before, and the key in it that has passed the gate. */
export interface VerifiedHeader {
  readonly header: Readonly<Record<string, unknown>>;
  /** Absent where the key is no part of the header. */
  readonly key?: PublicKey;
}

/** Headers by their encoded text. */
export interface KnownHeaders {
  get(encoded: string): VerifiedHeader | undefined;
  /** Remembers `alg`, `typ` and `kid` of the header, and nothing else of it. */
  set(encoded: string, known: VerifiedHeader): void;
  /** Bytes that are held. */
  bytes(): number;
}

/** The longest member that is worth to be remembered; what others write as a name is shorter. */
const maxLength = 256;

/**
 * Headers of what has been seen to be signed. A client sends the same one with each proof by a
 * key: what has been parsed, and whose key has passed the gate, needs no second look, for importing
 * a key costs as much as checking a signature. The signature itself is checked every time. The text
 * is foreign and may hold anything, so only its hash is kept.
 * @param maxBytes bytes of all that is remembered
 */
export function verifiedHeaderCache(maxBytes: number): KnownHeaders {
  const known = boundedCache<VerifiedHeader>(maxBytes);
  const digest = (encoded: string) => hash('sha256', encoded, 'base64url');
  return {
    get: (encoded) => known.get(digest(encoded)),
    set(encoded, { header, key }) {
      const members = Object.entries({
        alg: header['alg'],
        typ: header['typ'],
        kid: header['kid'],
      }).filter(([, value]) => value !== undefined);
      const isShort = (value: unknown) => typeof value === 'string' && value.length <= maxLength;
      if (!members.every(([, value]) => isShort(value))) return;
      const bytes = JSON.stringify(members).length * 2 + (key === undefined ? 0 : keyBytes(key));
      known.set(
        digest(encoded),
        { header: Object.fromEntries(members), ...(key !== undefined && { key }) },
        bytes,
      );
    },
    bytes: known.bytes,
  };
}
