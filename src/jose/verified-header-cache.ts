import { boundedCache } from './bounded-cache.ts';
import { keyBytes } from './key-bytes.ts';
import type { PublicKey } from './public-key.ts';

/** The cached members of a header, and its checked key. */
export interface VerifiedHeader {
  readonly header: Readonly<Record<string, unknown>>;
  /** Absent if the header contains no key. */
  readonly key?: PublicKey;
}

/** A cache of headers by their encoded text. */
export interface VerifiedHeaderCache {
  get(encoded: string): VerifiedHeader | undefined;
  /** Stores only `alg`, `typ` and `kid` of the header, and the key. */
  set(encoded: string, known: VerifiedHeader): void;
  /** The bytes held. */
  bytes(): number;
}

/** The longest member that is cached; ordinary names are shorter. */
const maxLength = 256;

/** The longest text whose header is cached: an RSA key of 8192 bits fits. */
const maxText = 2048;

/**
 * Creates a cache of at most `maxBytes` of headers whose signature was verified. A client repeats
 * the header with each proof, and importing its key costs as much as verifying the signature, which
 * is still done every time. The cache key is a copy, because a part of a longer text would keep all
 * of it in memory.
 */
export function verifiedHeaderCache(maxBytes: number): VerifiedHeaderCache {
  const known = boundedCache<VerifiedHeader>(maxBytes);
  return {
    get: (encoded) => known.get(encoded),
    set(encoded, { header, key }) {
      if (encoded.length > maxText) return;
      const members = Object.entries({
        alg: header['alg'],
        typ: header['typ'],
        kid: header['kid'],
      }).filter(([, value]) => value !== undefined);
      const isShort = (value: unknown) => typeof value === 'string' && value.length <= maxLength;
      if (!members.every(([, value]) => isShort(value))) return;
      const bytes = JSON.stringify(members).length * 2 + (key === undefined ? 0 : keyBytes(key));
      known.set(
        Buffer.from(encoded, 'latin1').toString('latin1'),
        { header: Object.fromEntries(members), ...(key !== undefined && { key }) },
        bytes,
      );
    },
    bytes: known.bytes,
  };
}
