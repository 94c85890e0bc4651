import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { generateKeyPair } from 'oauth4webapi';
import { HolderError } from '../holder-error.ts';
import type { KeyAlgorithm } from './holder-key.ts';

/** The default file of a key: below `$XDG_DATA_HOME` or `~/.local/share`. */
export function defaultKeyFile(fileName: string): string {
  const { XDG_DATA_HOME: data } = process.env;
  const folder = data !== undefined && data !== '' ? data : join(homedir(), '.local/share');
  return join(folder, 'holdfast/keys', fileName);
}

/**
 * The private JWK in this file, created if missing and readable only by its owner; of several
 * processes that start together, all get the key of the first. Throws HolderError.
 */
export async function fileKey(path: string, alg: KeyAlgorithm): Promise<JsonWebKey> {
  try {
    return (await found(path)) ?? (await keptUnlessThere(path, await privateJwk(alg)));
  } catch (error) {
    if (error instanceof HolderError) throw error;
    const { code, name } = error as NodeJS.ErrnoException;
    throw new HolderError(
      'key_unavailable',
      `the key file ${path} cannot be used: ${code ?? name}`,
    );
  }
}

async function found(path: string): Promise<JsonWebKey | undefined> {
  let text: string;
  try {
    // Windows has no such bits; there, the user's folder protects the file.
    if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0)
      throw new HolderError(
        'key_unavailable',
        `others may read the key file ${path}: chmod 600 it, or replace the key if they did`,
      );
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as JsonWebKey;
  } catch {
    throw new HolderError('key_unavailable', `the key file ${path} is not a JSON Web Key`);
  }
}

// The file appears complete under its name or not at all, since `link` never replaces one.
async function keptUnlessThere(path: string, jwk: JsonWebKey): Promise<JsonWebKey> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    try {
      await file.writeFile(`${JSON.stringify(jwk)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    return jwk;
  } catch (error) {
    const other =
      (error as NodeJS.ErrnoException).code === 'EEXIST' ? await found(path) : undefined;
    if (other === undefined) throw error;
    return other;
  } finally {
    await unlink(draft);
  }
}

async function privateJwk(alg: KeyAlgorithm): Promise<JsonWebKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return crypto.subtle.exportKey('jwk', privateKey);
}
