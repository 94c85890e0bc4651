import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import type { RandomId } from '../ports/ports.ts';
import type { TrustedIssuerRegistry } from '../ports/trusted-issuer-registry.ts';
import { checkJwksUri, type MayBeFetched } from './check-jwks-uri.ts';
import { parameterExamples } from './examples.ts';
import { listAnswer, listQuery, page, printable, readPage } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { pattern } from './patterns.ts';
import { Problem } from './problem.ts';

const httpsUrl = Type.String({ pattern: pattern('httpsUrl'), maxLength: 2048 });
const trustedIssuerBody = Type.Object(
  {
    issuer: Type.String({ pattern: pattern('issuer'), maxLength: 2048 }),
    audience: Type.String({ pattern: pattern('printable'), maxLength: 512 }),
    jwks_uri: httpsUrl,
    clients: Type.Optional(
      Type.Array(Type.String({ pattern: pattern('printable'), maxLength: 255 }), {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
      }),
    ),
    subject_prefix: Type.Optional(
      Type.String({ pattern: pattern('printableOrEmpty'), maxLength: 100 }),
    ),
  },
  { $id: 'TrustedIssuerBody', additionalProperties: false },
);
type TrustedIssuerBody = Type.Static<typeof trustedIssuerBody>;
const trustedIssuerAnswer = Type.Object(
  { ...trustedIssuerBody.properties, id: Type.String() },
  { $id: 'TrustedIssuer' },
);
/** The schemas of trusted issuers that the OpenAPI document names. */
export const trustedIssuerSchemas = [trustedIssuerBody, trustedIssuerAnswer];

const tag = 'Trusted issuers' as const;
const path = '/admin/trusted-issuers';
const querystring = listQuery({});
const params = Type.Object({
  id: printable('Of the trusted issuer.', parameterExamples.trustedIssuer),
});

interface TrustedIssuerRoutesOptions {
  readonly registry: TrustedIssuerRegistry;
  readonly mayBeFetched: MayBeFetched;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** Mounts `/admin/trusted-issuers`; ID tokens of a removed one are refused from then on. */
export function trustedIssuerRoutes(
  app: FastifyInstance,
  options: TrustedIssuerRoutesOptions,
): void {
  createRoute(app, options);
  listRoute(app, options);
  readRoute(app, options);
  deleteRoute(app, options);
}

function createRoute(
  app: FastifyInstance,
  { registry, mayBeFetched, clock, randomId }: TrustedIssuerRoutesOptions,
): void {
  const made = answer('The issuer that is trusted from now on.', ref(trustedIssuerAnswer), {
    location: true,
  });
  const create = operation({
    operationId: 'createTrustedIssuer',
    summary: 'Trust an OpenID provider',
    tag,
    description: 'Lets clients exchange ID tokens of this provider for access tokens.',
    body: ref(trustedIssuerBody),
    answers: { 201: made },
    refuses: [409],
  });
  app.post<{ Body: TrustedIssuerBody }>(path, create, async ({ body }, reply) => {
    if (!URL.canParse(body.issuer)) throw new Problem(400, 'the member is not a URL', 'issuer');
    checkJwksUri(body.jwks_uri, mayBeFetched);
    const id = randomId();
    const event: AuditEvent = {
      type: 'trusted_issuer_created',
      actor: 'admin',
      detail: { id, issuer: body.issuer },
    };
    const created = await registry.create({ id, ...body }, { at: clock(), event });
    if (created === 'conflict') throw new Problem(409, 'the issuer is trusted already');
    return reply.code(201).header('location', `${path}/${created.id}`).send(created);
  });
}

function listRoute(app: FastifyInstance, { registry }: TrustedIssuerRoutesOptions): void {
  const list = operation({
    operationId: 'listTrustedIssuers',
    summary: 'List trusted issuers',
    tag,
    description: 'Answers a page of the trusted issuers.',
    querystring,
    answers: { 200: listAnswer(ref(trustedIssuerAnswer)) },
  });
  type Query = Type.Static<typeof querystring>;
  app.get<{ Querystring: Query }>(path, list, async ({ query }) => {
    const { limit, after } = readPage(query);
    return page(await registry.list(limit + 1, after), limit, ({ id }) => id, show);
  });
}

function readRoute(app: FastifyInstance, { registry }: TrustedIssuerRoutesOptions): void {
  const one = operation({
    operationId: 'getTrustedIssuer',
    summary: 'Read a trusted issuer',
    tag,
    description: 'Answers the trusted issuer.',
    params,
    answers: { 200: answer('The trusted issuer.', ref(trustedIssuerAnswer)) },
    refuses: [404],
  });
  app.get<{ Params: { id: string } }>(`${path}/:id`, one, async ({ params }) =>
    show((await registry.get(params.id)) ?? notFound()),
  );
}

function deleteRoute(app: FastifyInstance, { registry }: TrustedIssuerRoutesOptions): void {
  const remove = operation({
    operationId: 'deleteTrustedIssuer',
    summary: 'Trust an issuer no more',
    tag,
    description: 'Ends the trust from the next request on.',
    params,
    answers: { 204: { description: 'The issuer is trusted no more.' } },
    refuses: [404],
  });
  app.delete<{ Params: { id: string } }>(`${path}/:id`, remove, async ({ params }, reply) => {
    const { id } = params;
    const event: AuditEvent = { type: 'trusted_issuer_deleted', actor: 'admin', detail: { id } };
    if (!(await registry.remove(id, event))) notFound();
    return reply.code(204).send();
  });
}

function show({ listed: _, ...shown }: TrustedIssuer): object {
  return shown;
}

function notFound(): never {
  throw new Problem(404, 'there is no such trusted issuer');
}
