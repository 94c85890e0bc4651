import { createHash, createHmac } from 'node:crypto';
import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import type { SigningKeyPurpose } from '../ports/signing-key-store.ts';

/** Seals and opens secrets at rest as compact JWE, `dir` with A256GCM (RFC 7516, RFC 7518 §4.5). */
export interface KeyEncryption {
  /**
   * Id of the sealing key, as the database names it now. Throws KeyEncryptionError if this server
   * lacks that key.
   */
  inForce(): Promise<string>;
  /** Id of the next key, if the server was started with one. */
  readonly next?: string;
  /**
   * Seals under the key with this id, which is `kid` in the header (RFC 7516 §4.1.6). The header,
   * which is authenticated (RFC 7516 §5.1, step 14), also names what the value belongs to.
   */
  seal(plaintext: string, keyId: string, belongsTo: string): Promise<string>;
  /** Opens what any of the keys sealed for this place, or throws KeyEncryptionError. */
  open(jwe: string, belongsTo: string): Promise<string>;
}

/** The place of a shared secret, as named in its sealed value. */
export function placeOfSecret(name: string): string {
  return `shared_secret ${name}`;
}

/**
 * The place of a signing key, as named in its sealed private half. It covers `kid`, `alg`, purpose
 * and the published text, so a public key that was not created here has no matching sealed half.
 */
export function placeOfSigningKey(key: {
  readonly kid: string;
  readonly alg: string;
  readonly purpose: SigningKeyPurpose;
  readonly publicJwk: string;
}): string {
  const digest = createHash('sha256').update(key.publicJwk).digest('base64url');
  return `signing_key ${key.purpose} ${key.kid} ${key.alg} ${digest}`;
}

/** The 32-byte keys that a server was started with: the one in use and possibly the next. */
export interface EncryptionKeys {
  readonly current: Buffer;
  readonly next?: Buffer;
}

/**
 * A key-encryption key is missing, malformed or wrong: the server does not start, and replaces
 * nothing. The message says what to do.
 */
export class KeyEncryptionError extends Error {
  override readonly name = 'KeyEncryptionError';
}

/** The id of a key-encryption key, which reveals nothing about it: 22 base64url characters. */
export function keyEncryptionKeyId(key: Buffer): string {
  return createHmac('sha256', key)
    .update('Holdfast key-encryption key')
    .digest()
    .subarray(0, 16)
    .toString('base64url');
}

/**
 * Key encryption under the keys that the server was started with.
 * @param named id of the key in force, from the database that all replicas share
 */
export function keyEncryption(
  { current, next }: EncryptionKeys,
  named: () => Promise<string | undefined>,
): KeyEncryption {
  const keys = new Map(
    [current, ...(next === undefined ? [] : [next])].map((key) => [keyEncryptionKeyId(key), key]),
  );
  const nextId = next === undefined || next.equals(current) ? undefined : keyEncryptionKeyId(next);
  return {
    ...(nextId !== undefined && { next: nextId }),
    async inForce() {
      const id = await named();
      if (id === undefined || !keys.has(id)) throw new KeyEncryptionError(notOurs);
      return id;
    },
    async seal(plaintext, keyId, belongsTo) {
      const key = keys.get(keyId);
      if (key === undefined) throw new KeyEncryptionError(notOurs);
      return new CompactEncrypt(Buffer.from(plaintext))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: keyId, for: belongsTo })
        .encrypt(key);
    },
    async open(jwe, belongsTo) {
      const { plaintext, place } = await opened(jwe);
      if (place === belongsTo) return plaintext;
      throw new KeyEncryptionError(place === undefined ? bindsNothing : belongsElsewhere);
    },
  };

  async function opened(jwe: string) {
    let cause: unknown;
    // GCM shows which key it was; values sealed before keys had ids name none.
    for (const key of keys.values()) {
      try {
        const { plaintext, protectedHeader } = await compactDecrypt(jwe, key, {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return { plaintext: Buffer.from(plaintext).toString(), place: protectedHeader['for'] };
      } catch (error) {
        cause = error;
      }
    }
    throw new KeyEncryptionError(notOurs, { cause });
  }
}

const notOurs =
  'A key in the database was not sealed by this key-encryption key. Start with the key-encryption key that belongs to this database. Nothing was changed.';

const belongsElsewhere =
  'A sealed key in the database belongs to another row, or its row was changed without the key-encryption key. Nothing was changed.';
const bindsNothing =
  'A sealed key in the database does not name its row: a version before 0.1.0 sealed it. Start with an empty database and register clients again. Nothing was changed.';
