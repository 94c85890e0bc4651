import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { actingAdmin, madeByReset, recordedName } from '../domain/acting-admin.ts';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import type { AdminToken, AdminTokenRotation, AdminTokens } from '../ports/admin-tokens.ts';
import type { RandomId } from '../ports/ports.ts';
import { adminTokenHash, generateAdminToken } from './admin-token.ts';
import {
  adminTokenAnswer,
  adminTokenBody,
  madeTokenAnswer,
  rotationBody,
} from './admin-token-schemas.ts';
import { parameterExamples } from './examples.ts';
import { listAnswer, listQuery, page, printable, readPage } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { checkExpiry, checkWithinOwn } from './own-limits.ts';
import { notFound, Problem } from './problem.ts';

export interface AdminTokenRoutesOptions {
  readonly adminTokens: AdminTokens;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

const path = '/admin/admin-tokens';
const tag = 'Admin tokens' as const;
const params = Type.Object({
  id: printable('Identifier of the token.', parameterExamples.adminToken),
});
interface ById {
  Params: { id: string };
}

/** Routes that list, create, rotate and remove named tokens of the admin API. */
export function adminTokenRoutes(app: FastifyInstance, options: AdminTokenRoutesOptions): void {
  listRoute(app, options);
  createRoute(app, options);
  rotateRoute(app, options);
  deleteRoute(app, options);
}

function listRoute(app: FastifyInstance, { adminTokens }: AdminTokenRoutesOptions): void {
  const list = {
    operationId: 'listAdminTokens',
    summary: 'List the admin tokens',
    tag,
    description:
      'Lists the named tokens with their scopes, expiry and last use, but never their values.',
    querystring: listQuery({}),
    answers: { 200: listAnswer(ref(adminTokenAnswer)) },
  };
  app.get<{ Querystring: { limit?: string; cursor?: string } }>(
    path,
    operation(list),
    async ({ query }) => {
      const { limit, after } = readPage(query);
      const found = await adminTokens.list({
        limit: limit + 1,
        ...(after !== undefined && { after }),
      });
      return page(found, limit, ({ id }) => id, show);
    },
  );
}

function createRoute(app: FastifyInstance, options: AdminTokenRoutesOptions): void {
  const { adminTokens, clock, randomId } = options;
  const create = {
    operationId: 'createAdminToken',
    summary: 'Create an admin token',
    tag,
    description:
      'Creates a token with at most its creator’s scopes and lifetime; one created by a ' +
      'bound admin lasts at most 90 days.',
    body: ref(adminTokenBody),
    answers: { 201: answer('The token, shown in clear only this once.', ref(madeTokenAnswer)) },
    refuses: [409] as const,
  };
  app.post<{ Body: Type.Static<typeof adminTokenBody> }>(
    path,
    operation(create),
    async ({ body: { name, scopes, expires_at: end } }, reply) => {
      const now = clock();
      checkWithinOwn(scopes, 'scopes');
      checkExpiry(end, now);
      const maker = actingAdmin();
      const token = generateAdminToken();
      const made: AdminToken = {
        id: randomId(),
        name,
        scopes,
        createdAt: now,
        createdBy: maker === undefined ? '' : recordedName(maker),
        ...(end !== undefined && { expiresAt: end * 1000 }),
      };
      const event = eventOf('created', made, { scopes, ...(end && { expires_at: end }) });
      if (!(await adminTokens.create(made, adminTokenHash(token), event)))
        throw new Problem(409, 'there is an admin token of this name');
      return reply.code(201).send({ ...show(made), token });
    },
  );
}

function rotateRoute(app: FastifyInstance, { adminTokens, clock }: AdminTokenRoutesOptions): void {
  const rotate = {
    operationId: 'rotateAdminToken',
    summary: 'Rotate an admin token without a gap',
    tag,
    description: 'Creates a new token with this name; the previous one stays valid for a while.',
    params,
    body: ref(rotationBody),
    answers: { 200: answer('The new token, shown in clear only this once.', ref(madeTokenAnswer)) },
    refuses: [404, 409] as const,
  };
  app.post<ById & { Body: Type.Static<typeof rotationBody> }>(
    `${path}/:id/rotate`,
    operation(rotate),
    async ({ params: { id }, body }) => {
      const { previous_expires_in: overlap = 3600, expires_at: end } = body;
      const now = clock();
      const found = (await adminTokens.get(id)) ?? notFound('admin token');
      // Otherwise rotation could escalate scopes or lifetime.
      checkWithinOwn(found.scopes);
      // It can create tokens that never expire, so its own lifetime must not be extended.
      if (found.createdBy === madeByReset)
        throw new Problem(409, 'a token of holdfast admin-token reset is not rotated');
      const endsAt = end === undefined ? found.expiresAt : end * 1000;
      checkExpiry(endsAt === undefined ? undefined : endsAt / 1000, now);
      const token = generateAdminToken();
      const rotation: AdminTokenRotation = {
        hash: adminTokenHash(token),
        previousUntil: now + overlap * 1000,
        earlier: body.keep_previous === true ? 'kept' : overlap === 0 ? 'ended' : 'refused',
        now,
        ...(endsAt !== undefined && { expiresAt: endsAt }),
      };
      const event = eventOf('changed', found, { rotated: true, previous_expires_in: overlap });
      if (!(await adminTokens.rotate(id, rotation, event)))
        throw notRotated((await adminTokens.get(id)) ?? notFound('admin token'), rotation);
      return { ...show((await adminTokens.get(id)) ?? notFound('admin token')), token };
    },
  );
}

function deleteRoute(app: FastifyInstance, { adminTokens }: AdminTokenRoutesOptions): void {
  const remove = {
    operationId: 'deleteAdminToken',
    summary: 'Remove an admin token',
    tag,
    description:
      'Removes a token whose scopes the caller has too; it is refused immediately on ' +
      'every machine.',
    params,
    answers: { 204: { description: 'The token is refused from now on.' } },
    refuses: [404] as const,
  };
  app.delete<ById>(`${path}/:id`, operation(remove), async ({ params: { id } }, reply) => {
    const found = (await adminTokens.get(id)) ?? notFound('admin token');
    checkWithinOwn(found.scopes);
    if (!(await adminTokens.remove(id, eventOf('deleted', found, {})))) notFound('admin token');
    return reply.code(204).send();
  });
}

/** A second rotation would end the token that its owner still uses. */
function notRotated({ previousUntil = 0 }: AdminToken, { earlier }: AdminTokenRotation): Problem {
  if (earlier === 'kept') return new Problem(409, 'no previous token is still valid');
  return new Problem(
    409,
    `the token before the last rotation counts until ${Math.floor(previousUntil / 1000)}: ` +
      'if the new one was lost, send keep_previous: true; previous_expires_in: 0 ends both',
  );
}

function eventOf(
  what: 'created' | 'changed' | 'deleted',
  { id, name }: AdminToken,
  detail: object,
): AuditEvent {
  return { type: `admin_token_${what}`, actor: 'admin', detail: { id, name, ...detail } };
}

function show(token: AdminToken): object {
  const { id, name, scopes, createdAt, createdBy, expiresAt, lastUsedAt, previousUntil } = token;
  const inSeconds = (at: number) => Math.floor(at / 1000);
  return {
    id,
    name,
    scopes,
    created_at: inSeconds(createdAt),
    created_by: createdBy,
    ...(expiresAt !== undefined && { expires_at: inSeconds(expiresAt) }),
    ...(lastUsedAt !== undefined && { last_used_at: inSeconds(lastUsedAt) }),
    ...(previousUntil !== undefined && { previous_expires_at: inSeconds(previousUntil) }),
  };
}
