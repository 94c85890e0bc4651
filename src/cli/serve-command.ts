import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { databaseKind, fileUrl } from '../config/database-url.ts';
import { environmentReader } from '../config/environment.ts';
import type { Terminal } from './terminal.ts';

export interface ServeOptions {
  readonly dataDirectory?: string;
}

/**
 * Environment variables that place what the server creates in its data directory. `before`: where
 * 0.1.0 put the key of a server on PostgreSQL; a key there is still used.
 */
export function serveVariables(
  env: Terminal['env'],
  { dataDirectory }: ServeOptions,
  before = 'data',
): Readonly<Record<string, string>> {
  const isSet = (name: string) => (env[name] ?? '') !== '';
  const { XDG_DATA_HOME: data } = env;
  const folder = resolve(
    dataDirectory ??
      join(data !== undefined && data !== '' ? data : join(homedir(), '.local/share'), 'holdfast'),
  );
  if (!isSet('DATABASE_URL') && !isSet('DATABASE_URL_FILE'))
    return { DATABASE_URL: fileUrl(join(folder, 'holdfast.db')) };
  // The reader of the configuration reports the faults.
  const url = environmentReader(env, (path) => readFileSync(path, 'utf8')).secret('DATABASE_URL');
  // The key-encryption key of a SQLite database is next to it.
  if (url === undefined || databaseKind(url) === 'sqlite' || isSet('KEY_ENCRYPTION_KEY_FILE'))
    return {};
  const key = 'holdfast.key-encryption-key';
  if (dataDirectory === undefined && existsSync(join(before, key))) return {};
  return { KEY_ENCRYPTION_KEY_FILE: join(folder, key) };
}

/** Starts the server in this process. */
export async function serve({ env }: Pick<Terminal, 'env'>, options: ServeOptions): Promise<void> {
  // Workers inherit the variables of this process.
  Object.assign(env, serveVariables(env, options));
  await import('./serve.ts');
}
