import { adminApi } from './admin-api.ts';
import type { Item, Page } from './admin-pages.ts';
import { printItems, printJson, type Terminal } from './terminal.ts';

const columns = ['kid', 'alg', 'purpose', 'state', 'active_at'];

/** Options of every subcommand on the admin API. */
export interface AdminOptions {
  readonly adminUrl?: string;
  readonly json?: boolean;
}

export interface RotateOptions extends AdminOptions {
  readonly alg: string;
  readonly purpose?: string;
  readonly immediately?: boolean;
}

/** Prints the signing keys with their states. */
export async function listKeys(terminal: Terminal, options: AdminOptions): Promise<void> {
  const api = await adminApi(terminal, options.adminUrl);
  const { body } = await api({ method: 'GET', path: ['signing-keys'] });
  printItems(terminal, columns, (body as Pick<Page, 'items'>).items, options.json);
}

/** Announces the next key, and prints it. */
export async function rotateKey(terminal: Terminal, options: RotateOptions): Promise<void> {
  const { alg, purpose, immediately } = options;
  const api = await adminApi(terminal, options.adminUrl);
  const body = { alg, purpose, immediately };
  const made = await api({ method: 'POST', path: ['signing-keys', 'rotate'], body });
  if (options.json === true) printJson(terminal, made.body);
  else printItems(terminal, columns, [made.body as Item]);
}

/** Revokes a key. */
export async function revokeKey(
  terminal: Terminal,
  kid: string,
  options: AdminOptions,
): Promise<void> {
  const api = await adminApi(terminal, options.adminUrl);
  await api({ method: 'POST', path: ['signing-keys', kid, 'revoke'] });
  if (options.json === true) printJson(terminal, { revoked: kid });
}
