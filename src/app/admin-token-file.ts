import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { adminTokenHash } from '../admin/admin-token.ts';
import { bootstrapEnded } from '../admin/authenticate-admin.ts';
import { adminTokenFile, type StoreConfig } from '../config/store-config.ts';
import type { SharedSecretStore } from '../ports/signing-key-store.ts';

/** The admin token cannot be saved for the operator; the message says what to do. */
export class AdminTokenError extends Error {
  override readonly name = 'AdminTokenError';
}

/** A new admin token that is not in its final file yet. */
export interface AdminTokenDraft {
  readonly token: string;
  /** Moves the draft into place. Throws AdminTokenError if that file exists by now. */
  keep(): void;
  /** Removes the draft. */
  discard(): void;
}

/**
 * Writes the token next to its file, readable by the server's user only. Throws AdminTokenError.
 */
export function draftAdminToken(file: string, token: string): AdminTokenDraft {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const orRefuse = (step: () => void, sentence: string) => {
    try {
      step();
    } catch (cause) {
      throw new AdminTokenError(sentence, { cause });
    }
  };
  orRefuse(() => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(draft, 'wx', 0o600);
    try {
      writeFileSync(descriptor, `${token}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }, `The admin token cannot be written to ${file}. Make its folder writable, or set ADMIN_TOKEN or ADMIN_TOKEN_FILE.`);
  return {
    token,
    keep: () =>
      orRefuse(() => {
        // Unlike rename, link never replaces an existing file.
        linkSync(draft, file);
        unlinkSync(draft);
      }, `The admin token is in ${draft}: it could not be moved to ${file}.`),
    discard: () => unlinkSync(draft),
  };
}

/** The refusal of a first start that finds the token file of another installation. */
export function adminTokenTaken(file: string): AdminTokenError {
  return new AdminTokenError(
    `${file} is there already, but this database has no admin token. Move the file away, or set ADMIN_TOKEN or ADMIN_TOKEN_FILE.`,
  );
}

/** The file that still has the admin token of this hash, until another admin has ended that. */
export async function savedAdminToken(
  { keyEncryptionKeyFile }: Pick<StoreConfig, 'keyEncryptionKeyFile'>,
  hash: string,
  secrets: SharedSecretStore,
): Promise<string | undefined> {
  const file = adminTokenFile(keyEncryptionKeyFile);
  try {
    if (adminTokenHash(readFileSync(file, 'utf8').trim()) !== hash) return undefined;
  } catch {
    return undefined;
  }
  return (await secrets.getSecret(bootstrapEnded(hash))) === undefined ? file : undefined;
}
