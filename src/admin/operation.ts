import type { FastifySchema } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { problemSchema } from './problem.ts';
import { idOf } from './schema-parts.ts';
import type { tags } from './tags.ts';

/** A response as the OpenAPI document shows it. */
export interface AnswerSchema {
  readonly description: string;
  /** The JSON body; without this and `content` the response has no body. */
  readonly schema?: TSchema;
  readonly content?: Readonly<Record<string, { readonly schema: TSchema }>>;
  readonly headers?: Readonly<Record<string, object>>;
}

/** One operation of the admin API. */
export interface Operation {
  readonly tag: keyof typeof tags;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly params?: TSchema;
  readonly querystring?: TSchema;
  readonly headers?: TSchema;
  readonly body?: TSchema;
  /** Media types of the body; JSON when absent. */
  readonly consumes?: readonly string[];
  readonly answers: Readonly<Record<number, AnswerSchema>>;
  /** Refusals besides those implied by the operation's inputs. */
  readonly refuses?: readonly (404 | 409 | 412)[];
  /** True: it reads no store, so it never responds with 503. */
  readonly storeless?: true;
}

const refusals = {
  400: 'A member of the request is not acceptable; every such member is named.',
  401: 'The admin token is missing or wrong.',
  403: 'The admin lacks the required scope.',
  404: 'It does not exist.',
  409: 'The identifier is taken, or the current state forbids the change; nothing was changed.',
  412: 'It has changed since the version that `If-Match` names.',
  413: 'The body is larger than 256 KiB (a configuration: 8 MiB).',
  415: 'The media type of the body is not supported.',
  503: 'The store is unavailable; nothing was changed.',
  default: 'The server failed.',
} as const;

/** Refers to a registered schema by its `$id`. */
export function ref(schema: TSchema): TSchema {
  return Type.Unsafe({ $ref: `${idOf(schema)}#` });
}

const problem = { content: { 'application/problem+json': { schema: ref(problemSchema) } } };

/** A refusal with this status, as the document shows it. */
export function problemAnswer(status: 403): object {
  return { description: refusals[status], ...problem };
}

const etag = { ETag: { type: 'string', description: 'The version, for `If-Match`.' } };
const location = { Location: { type: 'string', description: 'The path of the new resource.' } };

/** Describes a response with this JSON body. */
export function answer(
  description: string,
  schema: TSchema,
  more: { readonly etag?: boolean; readonly location?: boolean } = {},
): AnswerSchema {
  const headers = { ...(more.etag && etag), ...(more.location && location) };
  return { description, schema, ...(Object.keys(headers).length > 0 && { headers }) };
}

/** Builds the schema of a route, which checks requests but only describes responses. */
export function operation({
  tag,
  answers,
  refuses = [],
  storeless,
  consumes,
  params,
  querystring,
  headers,
  body,
  ...named
}: Operation): {
  readonly schema: FastifySchema;
} {
  const takes = {
    ...(params && { params }),
    ...(querystring && { querystring }),
    ...(headers && { headers }),
    ...(body && { body }),
  };
  const faulty = Object.keys(takes).length > 0 ? [400 as const] : [];
  const bodily = body === undefined ? [] : ([413, 415] as const);
  const statuses = [
    ...faulty,
    401,
    ...refuses,
    ...bodily,
    ...(storeless ? [] : ([503] as const)),
    'default',
  ] as const;
  const shown = Object.entries(answers).map(
    ([status, { schema, content, description, headers: fields }]) => {
      const media = content ?? (schema && { 'application/json': { schema } });
      return [
        status,
        {
          description,
          ...(fields && { headers: fields }),
          ...(media === undefined ? { type: 'null' } : { content: media }),
        },
      ];
    },
  );
  const refused = statuses.map((status) => [status, { description: refusals[status], ...problem }]);
  return {
    schema: {
      tags: [tag],
      ...named,
      ...(consumes && { consumes }),
      ...takes,
      response: Object.fromEntries([...shown, ...refused]),
    } as FastifySchema,
  };
}
