import type { FastifyInstance, FastifyReply } from 'fastify';
import Type from 'typebox';
import type { NotChanged, Stored } from '../ports/registry.ts';
import { mergePatch } from './merge-patch.ts';
import { answer, operation, ref } from './operation.ts';
import { notFound, Problem } from './problem.ts';
import {
  type ById,
  byId,
  checkConditions,
  conditions,
  etag,
  getStored,
  inProse,
  type RestResource,
  registryOf,
  shown,
} from './rest-resource.ts';

const stale = [404, 412] as const;

/** Mounts POST, which creates a registration. */
export function createRoute<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  const { path, tag, clock, read, idOf, schema, noun, answers, recordOf } = resource;
  const { below } = resource;
  const thing = inProse(noun);
  const made = answer(`The new ${thing}.`, ref(answers.changed), {
    etag: true,
    location: true,
  });
  const create = {
    operationId: `create${noun}`,
    summary: `Register a ${thing}`,
    tag,
    description:
      resource.about?.create ??
      `Registers a ${thing}. A generated \`client_secret\` is in this response only.`,
    ...(below && { params: Type.Object({ ...below }) }),
    body: ref(schema),
    answers: { 201: made },
    refuses: [below ? (404 as const) : (409 as const)],
  };
  app.post<{ Body: Body }>(path, operation(create), async (request, reply) => {
    const registry = await registryOf(resource, request);
    const parameters = request.params as Record<string, string>;
    const { value, once } = await read(request.body as Body, undefined, parameters);
    // Before the change, because a failure after it would answer 503 for a change that stands.
    const consequences = await resource.consequences?.(value);
    const created = await registry.create(value, {
      at: clock(),
      ...recordOf('created', idOf(value), value),
    });
    if (created === 'conflict')
      throw below ? notFound('registration') : new Problem(409, 'the identifier is taken');
    return reply
      .code(201)
      .header('location', `${request.url.split('?', 1)[0]}/${encodeURIComponent(idOf(value))}`)
      .header('etag', etag(created))
      .send({ ...shown(resource, created), ...once, ...consequences });
  });
}

/** Mounts PUT and PATCH (RFC 7396), which change a registration. */
export function changeRoutes<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  const { path, tag, schema, noun, answers } = resource;
  const thing = inProse(noun);
  const conditional = { ...byId(resource), headers: conditions };
  const changedTo = {
    200: answer(`The ${thing} as it is now.`, ref(answers.changed), { etag: true }),
  };
  const replace = {
    operationId: `replace${noun}`,
    summary: `Replace a ${thing}; omitted members are cleared`,
    tag,
    description:
      resource.about?.replace ??
      `Replaces all members. The secrets stay unless \`client_secret\` is given.`,
    body: ref(schema),
  };
  app.put(
    `${path}/:id`,
    operation({ ...replace, ...conditional, answers: changedTo, refuses: stale }),
    async (request: ById, reply) =>
      changeStored(
        resource,
        request,
        reply,
        request.body as Body,
        await getStored(await registryOf(resource, request), request.params.id),
      ),
  );
  const patch = {
    operationId: `change${noun}`,
    summary: `Change members of a ${thing} (RFC 7396)`,
    tag,
    description: 'Changes the given members by merge patch: null clears a member.',
    consumes: ['application/merge-patch+json', 'application/json'],
    body: ref(resource.patch),
  };
  app.patch(
    `${path}/:id`,
    operation({ ...patch, ...conditional, answers: changedTo, refuses: stale }),
    async (request: ById, reply) => {
      const found = await getStored(await registryOf(resource, request), request.params.id);
      const merged = mergePatch(resource.toBody(found.value), request.body);
      const validate = request.compileValidationSchema(ref(schema) as Record<string, unknown>);
      if (!validate(merged))
        throw Object.assign(new Error('invalid'), { statusCode: 400, validation: validate.errors });
      return changeStored(resource, request, reply, merged as Body, found);
    },
  );
}

async function changeStored<Value, Body extends object>(
  resource: RestResource<Value, Body>,
  request: ById,
  reply: FastifyReply,
  body: Body,
  found: Stored<Value>,
): Promise<FastifyReply> {
  const { clock, read, idOf, recordOf, consequences } = resource;
  checkConditions(request, found);
  const { value, once } = await read(body, found.value, request.params);
  // Before the change, because a failure after it would answer 503 for a change that stands.
  const following = await consequences?.(value);
  const registry = await registryOf(resource, request);
  const changed = await registry.replace(value, found, {
    at: clock(),
    ...recordOf('changed', idOf(value), value, found.value),
  });
  if (typeof changed === 'string') return refuse(changed);
  return reply
    .header('etag', etag(changed))
    .send({ ...shown(resource, changed), ...once, ...following });
}

/** Mounts DELETE, which removes a registration. */
export function deleteRoute<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  const { path, tag, clock, noun, recordOf } = resource;
  const thing = inProse(noun);
  const conditional = { ...byId(resource), headers: conditions };
  const gone = { 204: { description: `The ${thing} is deleted.` } };
  const remove = {
    operationId: `delete${noun}`,
    summary: `Delete a ${thing}`,
    tag,
    description:
      resource.about?.delete ??
      'Deletes the registration with its secrets. Its tokens become inactive.',
  };
  app.delete(
    `${path}/:id`,
    operation({ ...remove, ...conditional, answers: gone, refuses: stale }),
    async (request: ById, reply) => {
      const registry = await registryOf(resource, request);
      const { 'if-match': match, 'if-none-match': none } = request.headers;
      const isConditional = match !== undefined || none !== undefined;
      const found = isConditional ? await getStored(registry, request.params.id) : undefined;
      if (found !== undefined) checkConditions(request, found);
      const { id } = request.params;
      const removed = await registry.remove(
        id,
        { at: clock(), ...recordOf('deleted', id) },
        match === '*' && none === undefined ? undefined : found,
      );
      if (removed !== 'removed') return refuse(removed);
      return reply.code(204).send();
    },
  );
}

function refuse(reason: NotChanged): never {
  if (reason === 'not_found') return notFound('registration');
  throw new Problem(
    reason === 'conflict' ? 409 : 412,
    'the registration was changed since it was read',
  );
}
