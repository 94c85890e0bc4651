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
export const trustedIssuerSchemas = [trustedIssuerBody, trustedIssuerAnswer];

const querystring = listQuery({});
const params = Type.Object({
  id: printable('Of the trusted issuer.', parameterExamples.trustedIssuer),
});

/** `/admin/trusted-issuers`. A removed provider's ID tokens are refused from the next request. */
export function trustedIssuerRoutes(
  app: FastifyInstance,
  {
    registry,
    mayBeFetched,
    clock,
    randomId,
  }: {
    readonly registry: TrustedIssuerRegistry;
    readonly mayBeFetched: MayBeFetched;
    readonly clock: Clock;
    readonly randomId: RandomId;
  },
): void {
  const path = '/admin/trusted-issuers';
  const made = answer('The issuer that is trusted from now on.', ref(trustedIssuerAnswer), {
    location: true,
  });
  const create = {
    operationId: 'createTrustedIssuer',
    summary: 'Trust an OpenID provider',
    tag: 'Trusted issuers' as const,
    description: 'Lets clients exchange ID tokens of this provider for access tokens.',
    body: ref(trustedIssuerBody),
    answers: { 201: made },
  };
  app.post<{ Body: TrustedIssuerBody }>(
    path,
    operation({ ...create, refuses: [409] }),
    async ({ body }, reply) => {
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
    },
  );
  const listed = { 200: listAnswer(ref(trustedIssuerAnswer)) };
  const list = {
    operationId: 'listTrustedIssuers',
    summary: 'List trusted issuers',
    tag: 'Trusted issuers' as const,
    description: 'Answers a page of the trusted issuers.',
    querystring,
    answers: listed,
  };
  app.get<{ Querystring: Type.Static<typeof querystring> }>(
    path,
    operation(list),
    async ({ query }) => {
      const { limit, after } = readPage(query);
      return page(await registry.list(limit + 1, after), limit, ({ id }) => id, show);
    },
  );
  const shown = { 200: answer('The trusted issuer.', ref(trustedIssuerAnswer)) };
  const one = operation({
    operationId: 'getTrustedIssuer',
    summary: 'Read a trusted issuer',
    tag: 'Trusted issuers' as const,
    description: 'Answers the trusted issuer.',
    params,
    answers: shown,
    refuses: [404],
  });
  const gone = { 204: { description: 'The issuer is trusted no more.' } };
  const remove = operation({
    operationId: 'deleteTrustedIssuer',
    summary: 'Trust an issuer no more',
    tag: 'Trusted issuers' as const,
    description: 'Ends the trust from the next request on.',
    params,
    answers: gone,
    refuses: [404],
  });
  app.get<{ Params: { id: string } }>(`${path}/:id`, one, async ({ params }) =>
    show((await registry.get(params.id)) ?? notFound()),
  );
  app.delete<{ Params: { id: string } }>(
    `${path}/:id`,
    remove,
    async ({ params: { id } }, reply) => {
      if (
        !(await registry.remove(id, {
          type: 'trusted_issuer_deleted',
          actor: 'admin',
          detail: { id },
        }))
      )
        notFound();
      return reply.code(204).send();
    },
  );
}

function show({ listed: _, ...shown }: TrustedIssuer): object {
  return shown;
}

function notFound(): never {
  throw new Problem(404, 'there is no such trusted issuer');
}
