import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { type Pairing, pairingModes } from '../pairing.ts';
import type { ClientRegistrations, Clock, RandomId } from '../ports.ts';
import { Problem } from './problem.ts';

/** Pairings as the admin sees them. Every call is one atomic statement; all throw StoreUnavailable when the store is away. */
export interface PairingRegistry {
  /** `conflict`: the two clients are paired already. A revoked pairing of the two is replaced. */
  create(pairing: Pairing): Promise<Pairing | 'conflict'>;
  get(id: string): Promise<Pairing | undefined>;
  /** In the order of their ids, those after `after`; revoked ones included. */
  list(query: {
    readonly limit: number;
    readonly after?: string;
    readonly requester?: string;
    readonly holder?: string;
  }): Promise<readonly Pairing[]>;
  /** The pairing, revoked now or before, or undefined when there is none. */
  revoke(id: string, at: number): Promise<Pairing | undefined>;
}

/** What the routes stand on. */
export interface PairingRoutesOptions {
  readonly pairings: PairingRegistry;
  readonly clients: ClientRegistrations;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

const clientId = Type.String({ pattern: '^[\\x21-\\x7e]+$', maxLength: 255 });
const pairingBody = Type.Object(
  {
    requester: clientId,
    holder: clientId,
    mode: Type.Optional(Type.Unsafe<Pairing['mode']>({ type: 'string', enum: pairingModes })),
    first_party: Type.Optional(Type.Boolean()),
    scope: Type.Optional(Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+( [\\x21\\x23-\\x5b\\x5d-\\x7e]+)*$', maxLength: 4000 })),
    resources: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { minItems: 1, maxItems: 100, uniqueItems: true })),
  },
  { additionalProperties: false },
);
type PairingBody = Type.Static<typeof pairingBody>;
type Query = Record<string, string | undefined>;

/** `/admin/pairings`: create, list, read, revoke. `DELETE` revokes too: a pairing that was in force stays on record. */
export function pairingRoutes(app: FastifyInstance, { pairings, clients, clock, randomId }: PairingRoutesOptions): void {
  const path = '/admin/pairings';
  app.post<{ Body: PairingBody }>(path, { schema: { body: pairingBody } }, async (request, reply) => {
    const { requester, holder, mode = 'proof', first_party = false, scope, resources } = request.body;
    if (requester === holder) throw new Problem(400, 'a client cannot be paired with itself', 'holder');
    if ((await clients.findClient(requester)) === undefined) throw new Problem(400, 'there is no such client', 'requester');
    if ((await clients.findClient(holder)) === undefined) throw new Problem(400, 'there is no such client', 'holder');
    const created = await pairings.create({
      id: randomId(),
      requester,
      holder,
      mode,
      first_party,
      ...(scope !== undefined && { scope }),
      ...(resources !== undefined && { resources }),
      createdAt: clock(),
    });
    if (created === 'conflict') throw new Problem(409, 'the two clients are paired already');
    return reply.code(201).header('location', `${path}/${created.id}`).send(show(created));
  });
  app.get<{ Querystring: Query }>(path, async ({ query }) => {
    const asked = Number(query['limit'] ?? 50);
    const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, 200) : 50;
    const { cursor, requester, holder } = query;
    const found = await pairings.list({
      limit: limit + 1,
      ...(cursor !== undefined && { after: cursor }),
      ...(requester !== undefined && { requester }),
      ...(holder !== undefined && { holder }),
    });
    const items = found.slice(0, limit);
    return { items: items.map(show), next_cursor: found.length > limit ? items.at(-1)?.id : null };
  });
  app.get<{ Params: { id: string } }>(`${path}/:id`, async ({ params }) => show((await pairings.get(params.id)) ?? notFound()));
  app.post<{ Params: { id: string } }>(`${path}/:id/revoke`, async ({ params }) => show((await pairings.revoke(params.id, clock())) ?? notFound()));
  app.delete<{ Params: { id: string } }>(`${path}/:id`, async ({ params }, reply) => {
    if ((await pairings.revoke(params.id, clock())) === undefined) notFound();
    return reply.code(204).send();
  });
}

function show({ createdAt, revokedAt, ...pairing }: Pairing): object {
  return {
    ...pairing,
    revoked: revokedAt !== undefined,
    created_at: Math.floor(createdAt / 1000),
    ...(revokedAt !== undefined && { revoked_at: Math.floor(revokedAt / 1000) }),
  };
}

function notFound(): never {
  throw new Problem(404, 'there is no such pairing');
}
