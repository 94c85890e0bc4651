import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../ports.ts';
import { Problem } from './problem.ts';
import type { NotChanged, Registry, Stored } from './registry.ts';

/** One kind of registration as REST: POST, GET list, GET one, PUT, PATCH (RFC 7396), DELETE. */
export interface RestResource<Value, Body extends object> {
  readonly path: string;
  readonly nameParameter: string;
  readonly schema: object;
  readonly registry: Registry<Value>;
  readonly clock: Clock;
  readonly idOf: (value: Value) => string;
  /** Body and, for a change, the stored value, to the new value and members that only this answer shows. Throws Problem. */
  readonly read: (body: Body, stored?: Value) => Promise<{ readonly value: Value; readonly once?: object }>;
  readonly show: (stored: Stored<Value>) => object;
  /** The stored value as a body again, for PATCH to change. */
  readonly toBody: (value: Value) => object;
  /** Told of every change that stands; awaited before the answer. */
  readonly changed?: (what: 'created' | 'changed' | 'deleted', id: string, value?: Value, previous?: Value) => Promise<void>;
}

type ById = FastifyRequest<{ Params: { id: string }; Body: Record<string, unknown> }>;

/** Mounts the routes of one kind of registration. */
export function restResource<Value, Body extends object>(app: FastifyInstance, resource: RestResource<Value, Body>): void {
  const { path, registry, clock, read, show, idOf, schema } = resource;
  const etag = ({ version }: Stored<Value>) => `"${version}"`;
  const get = async (id: string) => (await registry.get(id)) ?? notFound();
  app.post<{ Body: Body }>(path, { schema: { body: schema } }, async (request, reply) => {
    const { value, once } = await read(request.body as Body);
    const created = await registry.create(value, clock());
    if (created === 'conflict') throw new Problem(409, 'the identifier is taken');
    await resource.changed?.('created', idOf(value), value);
    return reply
      .code(201)
      .header('location', `${path}/${encodeURIComponent(idOf(value))}`)
      .header('etag', etag(created))
      .send({ ...show(created), ...once });
  });
  app.get<{ Querystring: Record<string, string | undefined> }>(
    path,
    { schema: { querystring: listQuery(resource.nameParameter) } },
    async ({ query }) => {
      const name = query[resource.nameParameter] ?? query['name'];
      const page = await registry.list({
        limit: readLimit(query['limit']),
        ...(query['cursor'] !== undefined && { cursor: query['cursor'] }),
        ...(name !== undefined && { name }),
      });
      return { items: page.items.map(show), next_cursor: page.nextCursor };
    },
  );
  app.get(`${path}/:id`, async (request: ById, reply) => {
    const found = await get(request.params.id);
    return reply.header('etag', etag(found)).send(show(found));
  });
  const checkMatch = (request: ById, found: Stored<Value>) => {
    const match = request.headers['if-match'];
    if (match !== undefined && match !== '*' && match !== etag(found)) throw new Problem(412, 'the registration was changed since it was read');
  };
  const change = async (request: ById, reply: FastifyReply, body: Body, found: Stored<Value>) => {
    checkMatch(request, found);
    const { value, once } = await read(body, found.value);
    const changed = await registry.replace(value, found.version, clock());
    if (typeof changed === 'string') return refuse(changed);
    await resource.changed?.('changed', idOf(value), value, found.value);
    return reply.header('etag', etag(changed)).send({ ...show(changed), ...once });
  };
  app.put(`${path}/:id`, { schema: { body: schema } }, async (request: ById, reply) =>
    change(request, reply, request.body as Body, await get(request.params.id)),
  );
  app.patch(`${path}/:id`, { schema: { body: { type: 'object' } } }, async (request: ById, reply) => {
    const found = await get(request.params.id);
    const merged = mergePatch(resource.toBody(found.value), request.body);
    const validate = request.compileValidationSchema(schema as Record<string, unknown>);
    if (!validate(merged)) throw Object.assign(new Error('invalid'), { statusCode: 400, validation: validate.errors });
    return change(request, reply, merged as Body, found);
  });
  app.delete(`${path}/:id`, async (request: ById, reply) => {
    const match = request.headers['if-match'];
    const found = match === undefined ? undefined : await get(request.params.id);
    if (found !== undefined) checkMatch(request, found);
    const removed = await registry.remove(request.params.id, match === '*' ? undefined : found?.version);
    if (removed !== 'removed') return refuse(removed);
    await resource.changed?.('deleted', request.params.id);
    return reply.code(204).send();
  });
}

function mergePatch(target: object, patch: Record<string, unknown>): object {
  const merged = new Map(Object.entries(target));
  for (const [member, value] of Object.entries(patch)) {
    if (value === null) merged.delete(member);
    else merged.set(member, value);
  }
  return Object.fromEntries(merged);
}

/** Filters of a list; each once. */
function listQuery(nameParameter: string): object {
  const text = { type: 'string', maxLength: 512 };
  return { type: 'object', properties: { limit: text, cursor: text, name: text, [nameParameter]: text } };
}

/** Items a page: 50 unless asked otherwise, never more than 200. */
function readLimit(text: string | undefined): number {
  const limit = text === undefined ? 50 : /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit < 1) throw new Problem(400, 'limit is not a positive whole number', 'limit');
  return Math.min(limit, 200);
}

function notFound(): never {
  throw new Problem(404, 'there is no such registration');
}

function refuse(reason: NotChanged): never {
  if (reason === 'not_found') return notFound();
  throw new Problem(reason === 'conflict' ? 409 : 412, 'the registration was changed since it was read');
}
