import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { listAnswer, listQuery, page, readPage } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { pattern } from './patterns.ts';
import {
  type ById,
  byId,
  etag,
  getStored,
  inProse,
  type RestResource,
  registryOf,
  shown,
} from './rest-resource.ts';

interface ListParameters {
  readonly limit?: string;
  readonly cursor?: string;
  readonly name?: string;
  readonly client_name?: string;
}

/** Mounts GET of the list, one page at a time. */
export function listRoute<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  const { path, tag, idOf, noun, answers, nameParameter, below } = resource;
  const thing = inProse(noun);
  const named = Type.Optional(
    Type.String({
      maxLength: 200,
      pattern: pattern('plainText'),
      description: 'Only registrations whose name contains this, case-insensitively.',
    }),
  );
  const querystring = listQuery({
    ...(nameParameter !== undefined && { name: named }),
    ...(nameParameter === 'client_name' && { client_name: named }),
  });
  const list = {
    operationId: `list${noun}s`,
    summary: `List ${thing}s`,
    tag,
    description: 'Returns a page, ordered by identifier; `next_cursor` leads to the next.',
    ...(below && { params: Type.Object({ ...below }), refuses: [404] as const }),
    querystring,
    answers: { 200: listAnswer(ref(answers.shown)) },
  };
  app.get<{ Querystring: ListParameters }>(path, operation(list), async (request) => {
    const { query } = request;
    const name = query[nameParameter ?? 'name'] ?? query.name;
    const { limit, ...from } = readPage(query);
    const registry = await registryOf(resource, request);
    const found = await registry.list({
      ...from,
      limit: limit + 1,
      ...(name !== undefined && { name }),
    });
    return page(
      found,
      limit,
      ({ value }) => idOf(value),
      (each) => shown(resource, each),
    );
  });
}

/** Mounts GET of one registration. */
export function readRoute<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  const { path, tag, noun, answers } = resource;
  const thing = inProse(noun);
  const found = {
    200: answer(`The ${thing}.`, ref(answers.read ?? answers.shown), { etag: true }),
  };
  app.get(
    `${path}/:id`,
    operation({
      operationId: `get${noun}`,
      summary: `Read a ${thing}`,
      tag,
      description: 'Returns the registration and, as `ETag`, the version for `If-Match`.',
      ...byId(resource),
      answers: found,
      refuses: [404],
    }),
    async (request: ById, reply) => {
      const found = await getStored(await registryOf(resource, request), request.params.id);
      return reply
        .header('etag', etag(found))
        .send({ ...shown(resource, found), ...(await resource.more?.(found.value)) });
    },
  );
}
