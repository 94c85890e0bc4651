import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { configurationError, usageError } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Text of a file, or of standard input for `-`; refuses to wait for a terminal. */
export async function readInput({ stdin }: Pick<Terminal, 'stdin'>, path: string): Promise<string> {
  if (path === '-') {
    if (stdin.isTTY === true)
      throw usageError('Standard input is a terminal: pipe the data in, or name a file.');
    return text(stdin);
  }
  return readText(path);
}

/** Text of a file. Throws CommandError. */
async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw configurationError(`The file ${path} cannot be read: ${codeOf(error)}.`);
  }
}

/** A secret in the variable NAME, or the file that NAME_FILE names; undefined: neither is set. */
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

/** The secret in a file; a line break at its end does not count. */
export async function secretInFile(path: string): Promise<string> {
  const secret = withoutLineBreak(await readText(path));
  if (secret === '') throw configurationError(`The file ${path} is empty.`);
  return secret;
}

/** The text without one line break at its end. */
export function withoutLineBreak(value: string): string {
  return value.replace(/\r?\n$/, '');
}

/** The error code of the system, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
