import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { defined } from '../domain/defined.ts';
import { type AuditLog, type AuditQuery, settledTime } from '../ports/audit-trail.ts';
import { examples } from './examples.ts';
import { cursorAfter, listAnswer, listQuery, page, printable, readPage } from './list.ts';
import { operation, ref } from './operation.ts';
import { Problem } from './problem.ts';
import { answerBody } from './schema-parts.ts';

const text = (description: string) => Type.Optional(printable(description));
const time = (description: string) =>
  Type.Optional(Type.String({ format: 'date-time', description }));
const querystring = listQuery({
  type: text('Events of this type.'),
  client_id: text('Events of this client.'),
  jkt: text('Events about this key.'),
  jti: text('Events about this token.'),
  since: time('Events at or after this time.'),
  until: time(
    'Events before this time. A complete export must end at least a minute ago, because ' +
      'entries may be written out of order.',
  ),
  follow: Type.Optional(
    Type.Unsafe<'true'>({
      type: 'string',
      enum: ['true'],
      description: 'For polling: leaves out the last minute, so that no entry is missed.',
    }),
  ),
});
type Query = Type.Static<typeof querystring>;

const optional = (description?: string) =>
  Type.Optional(Type.String(description === undefined ? {} : { description }));
const auditEventAnswer = answerBody('AuditEvent', {
  id: Type.String({ description: 'Sorts by time; for an issuance, the `jti` of the token.' }),
  at: Type.String({ format: 'date-time' }),
  type: Type.String(),
  actor: Type.String({ description: '`client:ID`, `resource_server:ID`, `admin` or `server`.' }),
  client_id: optional(),
  audience: optional(),
  jkt: optional(),
  jti: optional(),
  evidence: optional('How possession was shown.'),
  reason: optional('Why it was refused.'),
  token_expires_at: Type.Optional(Type.Integer({ description: 'Seconds since the epoch.' })),
  registration_id: optional(
    'For an issuance: the registration of the client, which no later client shares.',
  ),
  resource_server_id: optional('For an issuance: the resource server.'),
  source: optional('For an issuance by token exchange: `jti` of the subject token.'),
  actor_source: optional('For a delegation: `jti` of the actor token.'),
  client_authority: optional('For an issuance: the rule by which the client authenticated.'),
  grant_authority: optional('For an issuance: the trusted issuer, or its rule, relied upon.'),
  detail: Type.Optional(Type.Unsafe<object>({ type: 'object' })),
});
export const auditSchemas = [auditEventAnswer];

const { schema: pageSchema } = listAnswer(ref(auditEventAnswer));
const listed = {
  description:
    'A page, oldest first; as JSON Lines, with up to 10,000 a page, if `Accept` asks for them.',
  headers: {
    'X-Next-Cursor': {
      type: 'string',
      description: 'With JSON Lines: where the next page starts; absent on the last page.',
    },
  },
  content: {
    'application/json': { schema: pageSchema ?? Type.Unknown() },
    'application/jsonl': {
      schema: Type.String({ examples: [`${JSON.stringify(examples['AuditEvent'])}\n`] }),
    },
  },
};
const list = operation({
  operationId: 'listAuditEvents',
  summary: 'Read the audit trail',
  tag: 'Audit trail',
  description: 'Returns events, filtered by type, client, key, token and time.',
  querystring,
  answers: { 200: listed },
});

/** The audit trail, oldest first, as JSON or, if `Accept` asks for them, as JSON Lines. */
export function auditRoutes(
  app: FastifyInstance,
  log: AuditLog,
  time: Parameters<typeof settledTime>[0],
): void {
  app.get<{ Querystring: Query }>(
    '/admin/audit-events',
    list,
    async ({ query, headers }, reply) => {
      const lines = /application\/(jsonl|x-ndjson)/.test(headers.accept ?? '');
      const { after } = readPage(query);
      const limit = Math.min(Number(query.limit ?? 50), lines ? 10_000 : 200);
      const { until, ...asked } = filters(query);
      const end =
        query.follow === undefined
          ? until
          : Math.min(until ?? Number.POSITIVE_INFINITY, await settledTime(time));
      const events = await log.list({
        ...asked,
        ...(end !== undefined && { until: end }),
        ...(after !== undefined && { after }),
        limit: limit + 1,
      });
      const { items, next_cursor: next } = page(
        events,
        limit,
        ({ id }) => id,
        ({ at, ...event }) => ({ ...event, at: new Date(at).toISOString() }),
      );
      // A follower polls with it again, even after an empty page.
      const next_cursor =
        query.follow === undefined ? next : (next ?? cursorAfter(events.at(-1)?.id ?? after));
      if (!lines) return { items, next_cursor };
      if (next_cursor !== null) void reply.header('x-next-cursor', next_cursor);
      return reply
        .type('application/jsonl')
        .send(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    },
  );
}

function filters(query: Query): Omit<AuditQuery, 'limit' | 'after'> {
  const { type, client_id, jkt, jti } = query;
  const since = readTime(query.since, 'since');
  const until = readTime(query.until, 'until');
  return defined({ type, client_id, jkt, jti, since, until });
}

function readTime(text: string | undefined, member: string): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new Problem(400, 'the time is not in the form of RFC 3339', member);
  return time;
}
