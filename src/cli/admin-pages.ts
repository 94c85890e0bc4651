import type { AdminApi } from './admin-api.ts';

/** An item of a list. */
export type Item = Readonly<Record<string, unknown>>;

/** One page of a list, and where the next one starts; null on the last. */
export interface Page {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

/** One page of 200 items. Throws as the API does. */
export async function onePage(
  api: AdminApi,
  path: readonly string[],
  query: Readonly<Record<string, string>>,
): Promise<Page> {
  return (await api({ method: 'GET', path, query: { limit: '200', ...query } })).body as Page;
}

/** The items of all pages. Throws as the API does. */
export async function allPages(api: AdminApi, path: readonly string[]): Promise<readonly Item[]> {
  const items: Item[] = [];
  let query = {};
  for (;;) {
    const page = await onePage(api, path, query);
    items.push(...page.items);
    if (page.next_cursor === null) return items;
    query = { cursor: page.next_cursor };
  }
}
