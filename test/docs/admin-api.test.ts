import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Document, OperationObject } from '../support/openapi.ts';
import { type TestServer, testServer } from '../support/server.ts';

const page = join(import.meta.dirname, '../../docs/reference/admin-api.md');
const marked = /(?<=<!-- operations -->\n)[\s\S]*(?=<!-- end of operations -->)/;

interface Form {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly items?: Form;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Form>>;
  readonly required?: readonly string[];
}

let server: TestServer;
let document: Document;
beforeAll(async () => {
  server = await testServer();
  document = (await server.admin('GET', 'openapi.json')).body;
});
afterAll(() => server.stop());

const code = (text: unknown) => `\`${String(text)}\``;
const row = (...cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
const table = (...head: readonly string[]) => row(...head) + row(...head.map(() => '---'));

/** The operations of the document, in its order. */
function operations() {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
}

/** The name of the schema that an operation takes as its body. */
function bodyOf({ requestBody }: OperationObject): string | undefined {
  const [content] = Object.values(requestBody?.content ?? {});
  return (content?.schema as Form | undefined)?.$ref?.split('/').at(-1);
}

/** What a member may be, in a few words. */
function form(schema: Form): string {
  const { type, items, minimum, maximum, minLength, maxLength, maxItems } = schema;
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (items !== undefined)
    return `list of ${maxItems === undefined ? '' : `at most ${maxItems} `}(${form(items)})`;
  const range = (low: number | undefined, high: number | undefined, unit: string) =>
    high === undefined ? '' : `, ${low === undefined ? 'at most' : `${low} to`} ${high}${unit}`;
  const bounds = range(minimum, maximum, '') + range(minLength, maxLength, ' characters');
  return `${[type ?? 'object'].flat().join(' or ')}${bounds}`;
}

/** The members of a schema: name, form, and what is said of them. */
function members(name: string): string {
  const { properties = {}, required = [] } = document.components.schemas[name] as Form;
  const rows = Object.entries(properties).map(([member, schema]) =>
    row(
      `${code(member)}${required.includes(member) ? ' (required)' : ''}`,
      form(schema),
      schema.description ?? '',
    ),
  );
  return `\n${code(name)}:\n\n${table('member', 'form', '')}${rows.join('')}`;
}

/** The part of the page that follows from the document. */
function reference(): string {
  const shown = new Set<string>();
  const sections = document.tags.map(({ name: tag, description }) => {
    const ours = operations().filter(({ operation }) => operation.tags.includes(tag));
    const rows = ours.map(({ name, operation }) => {
      const body = bodyOf(operation);
      const query = (operation.parameters ?? []).filter((each) => each.in === 'query');
      const takes = [...(body === undefined ? [] : [body]), ...query.map((each) => each.name)];
      return row(code(name), operation.description, takes.map(code).join(', '));
    });
    const bodies = new Set(ours.flatMap(({ operation }) => bodyOf(operation) ?? []));
    const tables = [...bodies]
      .filter((body) => !body.endsWith('Patch') && !shown.has(body) && shown.add(body))
      .map(members);
    const head = `\n## ${tag}\n\n${description}\n\n${table('operation', 'what it does', 'takes')}`;
    return head + rows.join('') + tables.join('');
  });
  return `${sections.join('')}\n`;
}

describe('docs/reference/admin-api.md', () => {
  it('shows every operation and member of the OpenAPI document; `npm run admin-api` writes it', async () => {
    const text = readFileSync(page, 'utf8');
    expect(text).toMatch(marked);
    await expect(text.replace(marked, () => reference())).toMatchFileSnapshot(page);
  });
  it('leaves no operation out: each has a group that the page shows', () => {
    const shown = reference();
    expect(operations().filter(({ name }) => !shown.includes(code(name)))).toEqual([]);
  });
});
