import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KeyEncryptionError } from './key-encryption.ts';

/** Where the key-encryption key comes from: its value, base64url of 32 bytes, or a file. */
export interface KeyEncryptionSource {
  readonly value?: string;
  readonly file: string;
  /** True: the file may be created on the first start (nothing is sealed yet). */
  readonly mayCreate: boolean;
}

/** Reads the next key-encryption key, if one is configured. Throws KeyEncryptionError. */
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
 * Reads the key-encryption key. On the very first start it creates one in a 0600 file if none is
 * given. Throws KeyEncryptionError.
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
      { cause },
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
    // Another replica created it between the check and the write, and its key counts.
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
      `${where} is not base64url of 32 bytes (43 characters). Restore the right key, or make one with: openssl rand 32 | basenc --base64url | tr -d =. Nothing was changed.`,
    );
  }
  return key;
}
