import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import { defined } from '../domain/defined.ts';
import type { NewPairing, Pairing } from '../domain/pairing.ts';
import type { PairingRegistry } from '../ports/pairing-registry.ts';
import type { ClientRegistrations, RandomId } from '../ports/ports.ts';
import { parameterExamples } from './examples.ts';
import { listAnswer, listQuery, page, printable, readPage } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { clientId, type PairingBody, pairingAnswer, pairingBody, show } from './pairing-schemas.ts';
import { notFound, Problem } from './problem.ts';

export interface PairingRoutesOptions {
  readonly pairings: PairingRegistry;
  readonly clients: ClientRegistrations;
  /** Maximum token lifetime in seconds. */
  readonly maxAccessTokenLifetime: number;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** What a new pairing is checked against. */
export interface PairingChecks extends Pick<PairingRoutesOptions, 'clock' | 'randomId'> {
  /** Whether a client with this `client_id` exists. */
  readonly exists: (clientId: string) => Promise<boolean>;
}

const tag = 'Pairings' as const;
const path = '/admin/pairings';
const querystring = listQuery({
  requester: Type.Optional(clientId),
  holder: Type.Optional(clientId),
});
type Query = Type.Static<typeof querystring>;
const params = Type.Object({
  id: printable('Identifier of the pairing.', parameterExamples.pairing),
});

/** Mounts `/admin/pairings`. DELETE revokes: a pairing that was active stays on record. */
export function pairingRoutes(app: FastifyInstance, options: PairingRoutesOptions): void {
  createRoute(app, options);
  listRoute(app, options);
  routesOfOne(app, options);
}

/** Checks a body. Throws Problem. */
export async function readPairing(
  body: PairingBody,
  { exists, clock, randomId }: PairingChecks,
): Promise<NewPairing> {
  const { requester, holder, mode = 'proof', first_party = false, scope, resources } = body;
  if (requester === holder)
    throw new Problem(400, 'a client cannot be paired with itself', 'holder');
  for (const member of ['requester', 'holder'] as const)
    if (!(await exists(body[member]))) throw new Problem(400, 'there is no such client', member);
  return {
    id: randomId(),
    requester,
    holder,
    mode,
    first_party,
    ...(scope !== undefined && { scope }),
    ...(resources !== undefined && { resources }),
    createdAt: clock(),
  };
}

function createRoute(
  app: FastifyInstance,
  { pairings, clients, clock, randomId }: PairingRoutesOptions,
): void {
  const made = answer('The pairing that was created.', ref(pairingAnswer), { location: true });
  const create = {
    operationId: 'createPairing',
    summary: 'Pair two clients',
    tag,
    description: 'Lets the requester name the holder as an additional holder of its tokens.',
    body: ref(pairingBody),
    answers: { 201: made },
    refuses: [409] as const,
  };
  app.post<{ Body: PairingBody }>(path, operation(create), async (request, reply) => {
    const exists = async (id: string) => (await clients.findClient(id)) !== undefined;
    const pairing = await readPairing(request.body, { exists, clock, randomId });
    const created = await pairings.create(pairing, pairingEvent('pairing_created', pairing));
    if (created === 'conflict') throw new Problem(409, 'the two clients are paired already');
    return reply.code(201).header('location', `${path}/${created.id}`).send(show(created));
  });
}

function listRoute(app: FastifyInstance, { pairings }: PairingRoutesOptions): void {
  const list = {
    operationId: 'listPairings',
    summary: 'List pairings',
    tag,
    description:
      'Returns a page of pairings, even revoked ones, optionally by requester or holder.',
    querystring,
    answers: { 200: listAnswer(ref(pairingAnswer)) },
  };
  app.get<{ Querystring: Query }>(path, operation(list), async ({ query }) => {
    const { limit, ...from } = readPage(query);
    const { requester, holder } = query;
    const filters = defined({ requester, holder });
    return page(
      await pairings.list({ ...from, ...filters, limit: limit + 1 }),
      limit,
      ({ id }) => id,
      show,
    );
  });
}

function routesOfOne(
  app: FastifyInstance,
  { pairings, maxAccessTokenLifetime, clock }: PairingRoutesOptions,
): void {
  const revoke = async (id: string): Promise<Pairing> => {
    const found = (await pairings.get(id)) ?? notFound('pairing');
    return (
      (await pairings.revoke(
        id,
        { at: clock(), event: pairingEvent('pairing_revoked', found) },
        maxAccessTokenLifetime,
      )) ?? notFound('pairing')
    );
  };
  const shown = {
    params,
    answers: { 200: answer('The pairing.', ref(pairingAnswer)) },
    refuses: [404] as const,
  };
  const gone = {
    params,
    answers: { 204: { description: 'The pairing is revoked; it stays on record.' } },
    refuses: [404] as const,
  };
  app.get<{ Params: { id: string } }>(
    `${path}/:id`,
    operation({
      operationId: 'getPairing',
      summary: 'Read a pairing',
      tag,
      description: 'Returns the pairing; `revoked` tells whether it is no longer active.',
      ...shown,
    }),
    async ({ params }) => show((await pairings.get(params.id)) ?? notFound('pairing')),
  );
  const revocation = operation({
    operationId: 'revokePairing',
    summary: 'Revoke a pairing',
    tag,
    description: 'Revokes the pairing. Tokens that name the holder because of it lose that holder.',
    ...shown,
  });
  app.post<{ Params: { id: string } }>(`${path}/:id/revoke`, revocation, async ({ params }) =>
    show(await revoke(params.id)),
  );
  const remove = operation({
    operationId: 'deletePairing',
    summary: 'Revoke a pairing',
    tag,
    description: 'Revokes the pairing, which stays in the list.',
    ...gone,
  });
  app.delete<{ Params: { id: string } }>(`${path}/:id`, remove, async ({ params }, reply) => {
    await revoke(params.id);
    return reply.code(204).send();
  });
}

/** The audit record of a change. */
export function pairingEvent(
  type: 'pairing_created' | 'pairing_revoked',
  { id, requester, holder }: NewPairing,
): AuditEvent {
  return { type, actor: 'admin', client_id: requester, detail: { id, holder } };
}
