import { createHash, createHmac, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';

/** Seals and opens secrets at rest as compact JWE, `dir` with A256GCM (RFC 7516, RFC 7518 §4.5). */
export interface KeyEncryption {
  /**
   * Id of the key that seals, as the database names it now. Throws KeyEncryptionError when this
   * server has not got that key.
   */
  inForce(): Promise<string>;
  /** Id of the key that is to come, when the server was started with one. */
  readonly next?: string;
  /**
   * Seals under the key with this id, which `kid` in the header names (RFC 7516 §4.1.6). The header
   * also names what the value belongs to, and is authenticated with it (RFC 7516 §5.1, step 14).
   */
  seal(plaintext: string, keyId: string, belongsTo: string): Promise<string>;
  /** Opens what any of the keys sealed for this place, else throws KeyEncryptionError. */
  open(jwe: string, belongsTo: string): Promise<string>;
}

/** The place of a shared secret, as its sealed value names it. */
export function placeOfSecret(name: string): string {
  return `shared_secret ${name}`;
}

/**
 * The place of a signing key, as its sealed private half names it. It covers `kid`, `alg` and the
 * published text: a public key that was not made here has no sealed half that fits.
 */
export function placeOfSigningKey(key: {
  readonly kid: string;
  readonly alg: string;
  readonly publicJwk: string;
}): string {
  const digest = createHash('sha256').update(key.publicJwk).digest('base64url');
  return `signing_key ${key.kid} ${key.alg} ${digest}`;
}

/**
 * The keys of 32 octets that a server was started with: at most the one in use and the one to come.
 */
export interface EncryptionKeys {
  readonly current: Buffer;
  readonly next?: Buffer;
}

/**
 * A key-encryption key that is missing, malformed or wrong: the server does not start, and replaces
 * nothing. The message says what to do.
 */
export class KeyEncryptionError extends Error {
  override readonly name = 'KeyEncryptionError';
}

/**
 * Where the key-encryption key comes from: the value itself (base64url of 32 octets), or a file
 * that holds it.
 */
export interface KeyEncryptionSource {
  readonly value?: string;
  readonly file: string;
  /** True: the file may be made on first start (nothing is sealed yet). */
  readonly mayCreate: boolean;
}

/** The key-encryption key that is to come, if one is configured. Throws KeyEncryptionError. */
export function readNextKeyEncryptionKey({
  value,
  file,
}: {
  readonly value?: string;
  readonly file?: string;
}): Buffer | undefined {
  if (value !== undefined) return decodeKey(value, 'KEY_ENCRYPTION_KEY_NEXT');
  return file === undefined ? undefined : decodeKey(readKeyFile(file), file);
}

/**
 * The key-encryption key, made as a 0600 file on the very first start when none is given. Throws
 * KeyEncryptionError.
 */
export function readKeyEncryptionKey({ value, file, mayCreate }: KeyEncryptionSource): Buffer {
  if (value !== undefined) return decodeKey(value, 'KEY_ENCRYPTION_KEY');
  if (!existsSync(file)) {
    if (!mayCreate) {
      throw new KeyEncryptionError(
        `The database holds encrypted keys, but the key-encryption key ${file} is missing. Restore that file, or set KEY_ENCRYPTION_KEY or KEY_ENCRYPTION_KEY_FILE. Nothing was changed.`,
      );
    }
    return createKeyFile(file);
  }
  return decodeKey(readKeyFile(file), file);
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new KeyEncryptionError(
      `The key-encryption key ${file} cannot be read. Give the server's user read access to it. Nothing was changed.`,
      {
        cause,
      },
    );
  }
}

function createKeyFile(file: string): Buffer {
  const key = randomBytes(32);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${key.toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    return key;
  } catch (cause) {
    // Another replica made it between the look and the write: its key counts.
    if (existsSync(file)) return decodeKey(readKeyFile(file), file);
    throw new KeyEncryptionError(
      `The key-encryption key ${file} cannot be written. Make its folder writable, or set KEY_ENCRYPTION_KEY.`,
      { cause },
    );
  }
}

function decodeKey(text: string, where: string): Buffer {
  const key = Buffer.from(text, 'base64url');
  if (key.length !== 32 || key.toString('base64url') !== text) {
    throw new KeyEncryptionError(
      `${where} is not base64url of 32 octets (43 characters). Restore the right key, or make one with: openssl rand 32 | basenc --base64url | tr -d =. Nothing was changed.`,
    );
  }
  return key;
}

/** What tells key-encryption keys apart and gives nothing of them away: 22 base64url characters. */
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
    // GCM tells which key it was; what was sealed before keys had ids names none.
    for (const key of keys.values()) {
      try {
        const { plaintext, protectedHeader } = await compactDecrypt(jwe, key, {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return {
          plaintext: Buffer.from(plaintext).toString('utf8'),
          place: protectedHeader['for'],
        };
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
