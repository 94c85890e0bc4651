import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import type { Clock } from '../domain/clock.ts';
import type { NotChanged, RegistrationChange, Registry, Stored } from '../ports/registry.ts';
import { listAnswer, listQuery, page, printable, readPage } from './list.ts';
import { answer, type Operation, operation, ref } from './operation.ts';
import { pattern } from './patterns.ts';
import { Problem } from './problem.ts';

/** One kind of registration as REST: POST, GET list, GET one, PUT, PATCH (RFC 7396), DELETE. */
export interface RestResource<Value, Body extends object> {
  readonly path: string;
  readonly tag: Operation['tag'];
  readonly exampleId: string;
  /** As the document names operations: `getClient`, `listClients`. */
  readonly noun: string;
  readonly nameParameter: 'client_name' | 'name';
  readonly schema: TSchema;
  readonly patch: TSchema;
  /** `read`: of GET one, where that shows more. */
  readonly answers: { readonly shown: TSchema; readonly changed: TSchema; readonly read?: TSchema };
  readonly registry: Registry<Value>;
  readonly clock: Clock;
  readonly idOf: (value: Value) => string;
  /** Body and, for a change, the stored value, to the new value and members that only this answer shows. Throws Problem. */
  readonly read: (
    body: Body,
    stored?: Value,
  ) => Promise<{ readonly value: Value; readonly once?: object }>;
  readonly show: (stored: Stored<Value>) => object;
  /** Members that only GET one shows. */
  readonly more?: (value: Value) => Promise<object>;
  /** Members that the answer to a change shows besides: what follows from it elsewhere. */
  readonly consequences?: (value: Value) => Promise<object>;
  /** The stored value as a body again, for PATCH to change. */
  readonly toBody: (value: Value) => object;
  /** What is recorded of a change, in its transaction. */
  readonly recordOf: (
    what: 'created' | 'changed' | 'deleted',
    id: string,
    value?: Value,
    previous?: Value,
  ) => Omit<RegistrationChange, 'at'>;
}

interface ListParameters {
  readonly limit?: string;
  readonly cursor?: string;
  readonly name?: string;
  readonly client_name?: string;
}

type ById = FastifyRequest<{ Params: { id: string }; Body: Record<string, unknown> }>;

/** Mounts the routes of one kind of registration. */
export function restResource<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  const { path, tag, registry, clock, read, show, idOf, schema, noun, answers, recordOf } =
    resource;
  const etag = ({ version }: Stored<Value>) => `"${version}"`;
  const get = async (id: string) => (await registry.get(id)) ?? notFound();
  const thing = noun.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
  const made = answer(`The ${thing} that was registered.`, ref(answers.changed), {
    etag: true,
    location: true,
  });
  const create = {
    operationId: `create${noun}`,
    summary: `Register a ${thing}`,
    tag: tag,
    description: `Registers a ${thing}. A generated \`client_secret\` is in this answer alone.`,
    body: ref(schema),
    answers: { 201: made },
    refuses: [409] as const,
  };
  app.post<{ Body: Body }>(path, operation(create), async (request, reply) => {
    const { value, once } = await read(request.body as Body);
    // Before the change: what is asked for after it could answer 503 for a change that stands.
    const consequences = await resource.consequences?.(value);
    const created = await registry.create(value, {
      at: clock(),
      ...recordOf('created', idOf(value), value),
    });
    if (created === 'conflict') throw new Problem(409, 'the identifier is taken');
    return reply
      .code(201)
      .header('location', `${path}/${encodeURIComponent(idOf(value))}`)
      .header('etag', etag(created))
      .send({ ...show(created), ...once, ...consequences });
  });
  const named = Type.Optional(
    Type.String({
      maxLength: 200,
      pattern: pattern('plainText'),
      description: 'Those whose name contains this, in any case.',
    }),
  );
  const querystring = listQuery({
    name: named,
    ...(resource.nameParameter === 'client_name' && { client_name: named }),
  });
  const list = {
    operationId: `list${noun}s`,
    summary: `List ${thing}s`,
    tag: tag,
    description: `Answers a page in the order of the identifiers; \`next_cursor\` leads to the next one.`,
    querystring,
    answers: { 200: listAnswer(ref(answers.shown)) },
  };
  app.get<{ Querystring: ListParameters }>(path, operation(list), async ({ query }) => {
    const name = query[resource.nameParameter] ?? query.name;
    const { limit, ...from } = readPage(query);
    const found = await registry.list({
      ...from,
      limit: limit + 1,
      ...(name !== undefined && { name }),
    });
    return page(found, limit, ({ value }) => idOf(value), show);
  });
  const one = { params: Type.Object({ id: printable(`Of the ${thing}.`, resource.exampleId) }) };
  const conditional = {
    ...one,
    headers: Type.Object({
      'if-match': Type.Optional(
        Type.String({ description: 'Entity tags, or `*` (RFC 9110 §13.1.1).' }),
      ),
    }),
  };
  const shown = {
    200: answer(`The ${thing}.`, ref(answers.read ?? answers.shown), { etag: true }),
  };
  const changedTo = {
    200: answer(`The ${thing} as it is now.`, ref(answers.changed), { etag: true }),
  };
  app.get(
    `${path}/:id`,
    operation({
      operationId: `get${noun}`,
      summary: `Read a ${thing}`,
      tag: tag,
      description: `Answers the registration and, as \`ETag\`, the version for \`If-Match\`.`,
      ...one,
      answers: shown,
      refuses: [404],
    }),
    async (request: ById, reply) => {
      const found = await get(request.params.id);
      return reply
        .header('etag', etag(found))
        .send({ ...show(found), ...(await resource.more?.(found.value)) });
    },
  );
  const checkMatch = (request: ById, found: Stored<Value>) => {
    const match = request.headers['if-match'];
    const tags = match?.split(',').map((tag) => tag.trim());
    if (tags !== undefined && match !== '*' && !tags.includes(etag(found)))
      throw new Problem(412, 'the registration was changed since it was read');
  };
  const change = async (request: ById, reply: FastifyReply, body: Body, found: Stored<Value>) => {
    checkMatch(request, found);
    const { value, once } = await read(body, found.value);
    const consequences = await resource.consequences?.(value);
    const changed = await registry.replace(value, found, {
      at: clock(),
      ...recordOf('changed', idOf(value), value, found.value),
    });
    if (typeof changed === 'string') return refuse(changed);
    return reply.header('etag', etag(changed)).send({ ...show(changed), ...once, ...consequences });
  };
  const stale = [404, 412] as const;
  const replace = {
    operationId: `replace${noun}`,
    summary: `Replace a ${thing}; a member that is left out is cleared`,
    tag: tag,
    description: `Replaces all members. The secrets stay unless \`client_secret\` is given.`,
    body: ref(schema),
  };
  app.put(
    `${path}/:id`,
    operation({ ...replace, ...conditional, answers: changedTo, refuses: stale }),
    async (request: ById, reply) =>
      change(request, reply, request.body as Body, await get(request.params.id)),
  );
  const patch = {
    operationId: `change${noun}`,
    summary: `Change members of a ${thing} (RFC 7396)`,
    tag: tag,
    description: `Changes the members given, as a merge patch: null clears a member.`,
    consumes: ['application/merge-patch+json', 'application/json'],
    body: ref(resource.patch),
  };
  app.patch(
    `${path}/:id`,
    operation({ ...patch, ...conditional, answers: changedTo, refuses: stale }),
    async (request: ById, reply) => {
      const found = await get(request.params.id);
      const merged = mergePatch(resource.toBody(found.value), request.body);
      const validate = request.compileValidationSchema(ref(schema) as Record<string, unknown>);
      if (!validate(merged))
        throw Object.assign(new Error('invalid'), { statusCode: 400, validation: validate.errors });
      return change(request, reply, merged as Body, found);
    },
  );
  const gone = { 204: { description: `The ${thing} is deleted.` } };
  const remove = {
    operationId: `delete${noun}`,
    summary: `Delete a ${thing}`,
    tag: tag,
    description: `Deletes the registration with its secrets. Its tokens become inactive.`,
  };
  app.delete(
    `${path}/:id`,
    operation({ ...remove, ...conditional, answers: gone, refuses: [404, 412] }),
    async (request: ById, reply) => {
      const match = request.headers['if-match'];
      const found = match === undefined ? undefined : await get(request.params.id);
      if (found !== undefined) checkMatch(request, found);
      const { id } = request.params;
      const removed = await registry.remove(
        id,
        { at: clock(), ...recordOf('deleted', id) },
        match === '*' ? undefined : found?.version,
      );
      if (removed !== 'removed') return refuse(removed);
      return reply.code(204).send();
    },
  );
}

/** RFC 7396 §2. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [member, value] of Object.entries(patch)) {
    if (value === null) merged.delete(member);
    else merged.set(member, mergePatch(merged.get(member), value));
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notFound(): never {
  throw new Problem(404, 'there is no such registration');
}

function refuse(reason: NotChanged): never {
  if (reason === 'not_found') return notFound();
  throw new Problem(
    reason === 'conflict' ? 409 : 412,
    'the registration was changed since it was read',
  );
}
