import { examples } from './examples.ts';

/** The parts of a JSON Schema that examples are composed from. */
interface Schema {
  readonly $ref?: string;
  readonly type?: unknown;
  readonly examples?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}
type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
interface Operation {
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

/** Adds an example next to the schema of every body, except those of refusals. */
export function withExamples<Document extends { paths?: unknown }>(document: Document): Document {
  const paths = mapped(document.paths as Record<string, Record<string, Operation>>, (item) =>
    mapped(item, ({ requestBody, responses, ...operation }) => ({
      ...operation,
      ...(requestBody && { requestBody: withExample(requestBody) }),
      responses: mapped(responses, withExample),
    })),
  );
  return { ...document, paths };
}

function withExample<Body extends { readonly content?: Content }>(body: Body): Body {
  if (body.content === undefined) return body;
  const content = mapped(body.content, (media, type) =>
    type === 'application/problem+json' || media.schema === undefined
      ? media
      : { ...media, example: exampleOf(media.schema) },
  );
  return { ...body, content };
}

/** Composes the example of a schema. Throws Error if it has none. */
function exampleOf({ $ref, type, examples: given, items, properties }: Schema): unknown {
  if (given !== undefined) return given[0];
  if (items !== undefined) return [exampleOf(items)];
  if (properties !== undefined) return mapped(properties, exampleOf);
  if (Array.isArray(type) && type.includes('null')) return null;
  const name = $ref?.split('/').at(-1) ?? '';
  const example = examples[name];
  if (example === undefined) throw new Error(`a schema has no example: ${name}`);
  return example;
}

function mapped<Value, Result>(
  object: Readonly<Record<string, Value>>,
  change: (value: Value, name: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, change(value, name)]),
  );
}
