import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Answer } from './server.ts';

type Schema = Readonly<Record<string, unknown>>;
type Content = Readonly<Record<string, { readonly schema: Schema; readonly example?: unknown }>>;
interface Response {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Content;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly example?: unknown;
}
/** As much of an OpenAPI document as the tests look at. */
export interface Document {
  readonly openapi: string;
  readonly security: unknown;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
/** An operation of the document. */
export interface OperationObject {
  readonly operationId: string;
  /** The scope that it needs; absent: none. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly tags: readonly string[];
  readonly description: string;
  readonly requestBody?: { readonly content: Content };
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, Response>>;
}

/** What is wrong with an answer by the document, in words; empty when it is as documented. Members that no schema names are wrong. */
export function answerFaults(
  { components }: Document,
  { responses }: OperationObject,
  { status, headers, body }: Answer,
): readonly string[] {
  const response = responses[status];
  if (response === undefined) return [`${status} is not documented`];
  const missing = Object.keys(response.headers ?? {}).filter(
    (name) => !headers.has(name) && name !== 'X-Next-Cursor',
  );
  if (missing.length > 0) return missing.map((name) => `${name} is missing`);
  if (response.content === undefined) return body === '' ? [] : ['there is a body'];
  const type = headers.get('content-type')?.split(';')[0] ?? '';
  const media = response.content[type];
  if (media === undefined) return [`${type} is not documented`];
  const validate = validatorOf(media.schema, components);
  return validate(body)
    ? []
    : (validate.errors ?? []).map(
        (fault) => `${fault.instancePath} ${fault.message} ${JSON.stringify(fault.params)}`,
      );
}

/** Where an operation has no example: bodies (those of refusals apart) and path parameters. */
export function missingExamples({
  requestBody,
  parameters = [],
  responses,
}: OperationObject): readonly string[] {
  const bodies = [requestBody, ...Object.values(responses)].flatMap((body) =>
    Object.entries(body?.content ?? {}).filter(([type]) => type !== 'application/problem+json'),
  );
  const inPath = parameters.filter((each) => each.in === 'path');
  return [...bodies, ...inPath.map((each) => [each.name, each] as const)]
    .filter(([, { example }]) => example === undefined)
    .map(([name]) => name);
}

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
addFormats.default(ajv);
ajv.addKeyword('components');
const closedComponents = new WeakMap<Document['components'], unknown>();
/** By components, then by the schema's text: refusals have the same one everywhere. */
const validators = new WeakMap<Document['components'], Map<string, ValidateFunction>>();

function validatorOf(schema: Schema, components: Document['components']): ValidateFunction {
  const all = validators.get(components) ?? new Map<string, ValidateFunction>();
  validators.set(components, all);
  const text = JSON.stringify(schema);
  const known = all.get(text);
  if (known !== undefined) return known;
  const shared = closedComponents.get(components) ?? closed(components);
  closedComponents.set(components, shared);
  const made = ajv.compile({ ...(closed(schema) as object), components: shared });
  all.set(text, made);
  return made;
}

/** The schema with every object closed to members that it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, closed(value)]),
  );
  return 'properties' in schema && inner['type'] === 'object'
    ? { ...inner, additionalProperties: false }
    : inner;
}
