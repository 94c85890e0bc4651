import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { Clock, RandomId } from '../ports.ts';
import type { TrustedIssuer } from '../trusted-issuer.ts';
import { Problem } from './problem.ts';

/** Trusted OpenID providers as the admin sees them. All throw StoreUnavailable when the store is away. */
export interface TrustedIssuerRegistry {
  /** `conflict`: the issuer is trusted already. */
  create(issuer: TrustedIssuer, at: number): Promise<TrustedIssuer | 'conflict'>;
  get(id: string): Promise<TrustedIssuer | undefined>;
  /** In the order of their ids, those after `after`. */
  list(limit: number, after?: string): Promise<readonly TrustedIssuer[]>;
  /** False when there was none. */
  remove(id: string): Promise<boolean>;
}

const httpsUrl = Type.String({ pattern: '^https://[^\\s#@\\\\]+$', maxLength: 2048 });
const trustedIssuerBody = Type.Object(
  {
    issuer: Type.String({ pattern: '^https?://[^\\s#?@\\\\]+$', maxLength: 2048 }),
    audience: Type.String({ pattern: '^[\\x21-\\x7e]+$', maxLength: 512 }),
    jwks_uri: httpsUrl,
    clients: Type.Optional(
      Type.Array(Type.String({ pattern: '^[\\x21-\\x7e]+$', maxLength: 255 }), { minItems: 1, maxItems: 100, uniqueItems: true }),
    ),
    subject_prefix: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]*$', maxLength: 100 })),
  },
  { additionalProperties: false },
);
type TrustedIssuerBody = Type.Static<typeof trustedIssuerBody>;

/** `/admin/trusted-issuers`: create, list, read, remove. What a provider signed counts no more from the next request after its removal. */
export function trustedIssuerRoutes(
  app: FastifyInstance,
  { registry, clock, randomId }: { readonly registry: TrustedIssuerRegistry; readonly clock: Clock; readonly randomId: RandomId },
): void {
  const path = '/admin/trusted-issuers';
  app.post<{ Body: TrustedIssuerBody }>(path, { schema: { body: trustedIssuerBody } }, async ({ body }, reply) => {
    for (const member of ['issuer', 'jwks_uri'] as const) if (!URL.canParse(body[member])) throw new Problem(400, 'the member is not a URL', member);
    const created = await registry.create({ id: randomId(), ...body }, clock());
    if (created === 'conflict') throw new Problem(409, 'the issuer is trusted already');
    return reply.code(201).header('location', `${path}/${created.id}`).send(created);
  });
  app.get<{ Querystring: Record<string, string | undefined> }>(path, async ({ query }) => {
    const asked = Number(query['limit'] ?? 50);
    const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, 200) : 50;
    const found = await registry.list(limit + 1, query['cursor']);
    const items = found.slice(0, limit);
    return { items, next_cursor: found.length > limit ? items.at(-1)?.id : null };
  });
  app.get<{ Params: { id: string } }>(`${path}/:id`, async ({ params }) => (await registry.get(params.id)) ?? notFound());
  app.delete<{ Params: { id: string } }>(`${path}/:id`, async ({ params }, reply) =>
    (await registry.remove(params.id)) ? reply.code(204).send() : notFound(),
  );
}

function notFound(): never {
  throw new Problem(404, 'there is no such trusted issuer');
}
