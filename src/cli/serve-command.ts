import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileUrl } from '../config/database-url.ts';
import type { Terminal } from './terminal.ts';

export interface ServeOptions {
  readonly dataDirectory?: string;
}

/** Variables that the server needs so that its data lie where they should. */
export function serveVariables(
  env: Terminal['env'],
  { dataDirectory }: ServeOptions,
): Readonly<Record<string, string>> {
  if ([env['DATABASE_URL'], env['DATABASE_URL_FILE']].some((value) => (value ?? '') !== ''))
    return {};
  const { XDG_DATA_HOME: data } = env;
  const folder =
    dataDirectory ??
    join(data !== undefined && data !== '' ? data : join(homedir(), '.local/share'), 'holdfast');
  return { DATABASE_URL: fileUrl(join(folder, 'holdfast.db')) };
}

/** Starts the server in this process. */
export async function serve({ env }: Pick<Terminal, 'env'>, options: ServeOptions): Promise<void> {
  // Workers inherit the variables of this process.
  Object.assign(env, serveVariables(env, options));
  await import('./serve.ts');
}
