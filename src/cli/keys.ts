import { adminApi } from './admin-api.ts';
import type { Item } from './admin-pages.ts';
import { printJson, printTable, type Terminal } from './terminal.ts';

/** Options of every subcommand on the admin API. */
export interface AdminOptions {
  readonly adminUrl?: string;
  readonly json?: boolean;
}

/** Options of `holdfast keys rotate`. */
export interface RotateOptions extends AdminOptions {
  readonly alg: string;
  readonly purpose?: string;
  readonly immediately?: boolean;
}

/** Prints the signing keys with their states. */
export async function listKeys(terminal: Terminal, options: AdminOptions): Promise<void> {
  const api = await adminApi(terminal, options.adminUrl);
  const { body } = await api({ method: 'GET', path: ['signing-keys'] });
  print(terminal, (body as { readonly items: readonly Item[] }).items, options);
}

/** Announces the next key, and prints it. */
export async function rotateKey(terminal: Terminal, options: RotateOptions): Promise<void> {
  const { alg, purpose, immediately } = options;
  const api = await adminApi(terminal, options.adminUrl);
  const body = { alg, purpose, immediately };
  const made = await api({ method: 'POST', path: ['signing-keys', 'rotate'], body });
  if (options.json === true) printJson(terminal, made.body);
  else print(terminal, [made.body as Item], options);
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

function print(terminal: Terminal, keys: readonly Item[], { json }: AdminOptions): void {
  if (json === true) {
    printJson(terminal, keys);
    return;
  }
  const columns = ['kid', 'alg', 'purpose', 'state', 'active_at'];
  printTable(terminal, [
    columns.map((column) => column.toUpperCase()),
    ...keys.map((key) => columns.map((column) => String(key[column]))),
  ]);
}
