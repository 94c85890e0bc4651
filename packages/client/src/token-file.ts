import { readFile } from 'node:fs/promises';
import { HolderError } from './holder-error.ts';

/** The current token of the platform in this file. Throws HolderError. */
export async function tokenInFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    throw new HolderError(
      'platform_token_unavailable',
      `the token of the platform cannot be read from ${path}: ${code ?? name}`,
    );
  }
}
