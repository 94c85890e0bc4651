import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { fileReason, utf8Text } from '../config/text-file.ts';
import { configurationError, usageError } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Text of a file, or of standard input for `-`; refuses to wait for a terminal. */
export async function readInput({ stdin }: Pick<Terminal, 'stdin'>, path: string): Promise<string> {
  if (path === '-') {
    if (stdin.isTTY === true)
      throw usageError('Standard input is a terminal: pipe the data in, or name a file.');
    return decoded(await buffer(stdin), 'Standard input');
  }
  return readText(path);
}

/** Text of a file. Throws CommandError. */
async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw configurationError(`The file ${path} cannot be read: ${fileReason(error)}.`);
  });
  return decoded(bytes, `The file ${path}`);
}

/** Decodes UTF-8. Throws CommandError. */
function decoded(bytes: Uint8Array, what: string): string {
  const text = utf8Text(bytes);
  if (text === undefined) throw configurationError(`${what} is not UTF-8.`);
  return text;
}

/** A secret in the variable NAME, or in the file of NAME_FILE; undefined: neither is set. */
export async function secretOf(
  { env }: Pick<Terminal, 'env'>,
  name: string,
): Promise<string | undefined> {
  const value = env[name];
  const path = env[`${name}_FILE`];
  if (value !== undefined && value !== '' && path !== undefined && path !== '')
    throw configurationError(`Both ${name} and ${name}_FILE are set: unset one of them.`);
  if (path !== undefined && path !== '') return secretInFile(path);
  return value === '' ? undefined : value;
}

/** The secret in a file, without a final line break. */
export async function secretInFile(path: string): Promise<string> {
  const secret = withoutLineBreak(await readText(path));
  if (secret === '') throw configurationError(`The file ${path} is empty.`);
  return secret;
}

/** Removes one final line break. */
export function withoutLineBreak(value: string): string {
  return value.replace(/\r?\n$/, '');
}

/** The system error code, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
