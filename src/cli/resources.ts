import { type AdminApi, adminApi } from './admin-api.ts';
import { allPages } from './admin-pages.ts';
import { usageError } from './exit-codes.ts';
import type { AdminOptions } from './keys.ts';
import { readInput } from './secret.ts';
import { printItems, printJson, type Terminal } from './terminal.ts';

/** Prints all registrations of this kind as a table of some members, or as one JSON array. */
export async function listResources(
  terminal: Terminal,
  { name, columns }: { readonly name: string; readonly columns: readonly string[] },
  options: AdminOptions,
): Promise<void> {
  const items = await allPages(await adminApi(terminal, options.adminUrl), [name]);
  printItems(terminal, columns, items, options.json);
}

/** Prints one registration as JSON. */
export async function getResource(
  terminal: Terminal,
  name: string,
  id: string,
  { adminUrl, json }: AdminOptions,
): Promise<void> {
  const api = await adminApi(terminal, adminUrl);
  const path = [name, await idOf(api, name, id)];
  print(terminal, (await api({ method: 'GET', path })).body, json);
}

/** Creates a registration from a JSON file; prints the response, which shows secrets only once. */
export async function createResource(
  terminal: Terminal,
  name: string,
  file: string,
  { adminUrl, json }: AdminOptions,
): Promise<void> {
  const body = jsonIn(await readInput(terminal, file));
  const api = await adminApi(terminal, adminUrl);
  print(terminal, (await api({ method: 'POST', path: [name], body })).body, json);
}

/** Deletes a registration. */
export async function deleteResource(
  terminal: Terminal,
  name: string,
  id: string,
  { adminUrl, json }: AdminOptions,
): Promise<void> {
  const api = await adminApi(terminal, adminUrl);
  await api({ method: 'DELETE', path: [name, await idOf(api, name, id)] });
  if (json === true) printJson(terminal, { deleted: id });
}

/** The identifier of the resource server with this audience, a URI; else what was given. */
async function idOf(api: AdminApi, name: string, given: string): Promise<string> {
  if (name !== 'resource-servers' || !given.includes(':')) return given;
  const found = (await allPages(api, [name])).find(({ audience }) => audience === given);
  return typeof found?.['id'] === 'string' ? found['id'] : given;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Omits the parser's message, which quotes the text and so perhaps a secret.
    throw usageError('The input is not JSON.');
  }
}

function print(terminal: Terminal, value: unknown, json = false): void {
  if (json) printJson(terminal, value);
  else terminal.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
