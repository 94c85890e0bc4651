import Type, { type TProperties, type TSchema } from 'typebox';
import { type AnswerSchema, answer } from './operation.ts';
import { pattern } from './patterns.ts';
import { Problem } from './problem.ts';

/** The schema of a filter or an identifier in a URL: printable ASCII. */
export const printable = (description: string, example?: string) =>
  Type.String({
    pattern: pattern('printable'),
    maxLength: 512,
    description,
    ...(example !== undefined && { examples: [example] }),
  });

/** The schema of a list's query: paging and these filters, nothing else. */
export function listQuery<Filters extends TProperties>(filters: Filters) {
  return Type.Object(
    {
      ...filters,
      limit: Type.Optional(
        Type.String({
          pattern: pattern('limit'),
          description: 'Items a page: 50 by default, 200 at most.',
        }),
      ),
      cursor: Type.Optional(
        Type.String({
          pattern: pattern('cursor'),
          maxLength: 512,
          description: '`next_cursor` of the previous page.',
        }),
      ),
    },
    { additionalProperties: false },
  );
}

/** The schema of an answer with one page of `items`. */
export function listAnswer(items: TSchema): AnswerSchema {
  const next_cursor = Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'Where the next page starts; null on the last page.',
  });
  return answer(
    'A page, in the order of the identifiers.',
    Type.Object({ items: Type.Array(items), next_cursor }),
  );
}

/** Turns a list query into a store query for the items after a key. Throws Problem. */
export function readPage({
  limit,
  cursor,
}: {
  readonly limit?: string;
  readonly cursor?: string;
}): {
  readonly limit: number;
  readonly after?: string;
} {
  const items = Math.min(Number(limit ?? 50), 200);
  if (cursor === undefined) return { limit: items };
  const after = Buffer.from(cursor, 'base64url').toString();
  if (!/^[\x21-\x7e]+$/.test(after))
    throw new Problem(400, 'the cursor was not created by this server', 'cursor');
  return { limit: items, after };
}

/** The cursor after this key, base64url so that clients treat it as opaque; null without a key. */
export function cursorAfter(key: string | undefined): string | null {
  return key === undefined ? null : Buffer.from(key).toString('base64url');
}

interface Page {
  readonly items: readonly object[];
  readonly next_cursor: string | null;
}

/** Returns one page of `found`, which has one extra item if there is a next page. */
export function page<Item>(
  found: readonly Item[],
  limit: number,
  keyOf: (item: Item) => string,
  show: (item: Item) => object,
): Page {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return {
    items: items.map(show),
    next_cursor: cursorAfter(found.length > limit && last !== undefined ? keyOf(last) : undefined),
  };
}
