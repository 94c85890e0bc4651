import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditLog, AuditQuery } from '../audit.ts';
import { listAnswer, listQuery, page, printable, readPage } from './list.ts';
import { operation, ref } from './operation.ts';
import { Problem } from './problem.ts';

const text = (description: string) => Type.Optional(printable(description));
const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
const querystring = listQuery({
  type: text('Events of this type.'),
  client_id: text('Events of this client.'),
  jkt: text('Events about this key.'),
  jti: text('Events about this token.'),
  since: time('Not before.'),
  until: time('Before. An export that must be complete ends a minute ago: an entry may be written a moment later than one that sorts after it.'),
});
type Query = Type.Static<typeof querystring>;

const optional = Type.Optional(Type.String());
const auditEventAnswer = Type.Object(
  {
    id: Type.String({ description: 'Sorts by time; for an issuance the `jti` of the token.' }),
    at: Type.String({ format: 'date-time' }),
    type: Type.String(),
    actor: Type.String({ description: '`client:ID`, `resource_server:ID`, `admin` or `server`.' }),
    client_id: optional,
    audience: optional,
    jkt: optional,
    jti: optional,
    evidence: Type.Optional(Type.String({ description: 'How possession was shown.' })),
    reason: Type.Optional(Type.String({ description: 'Why it was refused.' })),
    token_expires_at: Type.Optional(Type.Integer({ description: 'Seconds since the epoch.' })),
    detail: Type.Optional(Type.Unsafe<object>({ type: 'object' })),
  },
  { $id: 'AuditEvent' },
);
export const auditSchemas = [auditEventAnswer];

const { schema: pageSchema } = listAnswer(ref(auditEventAnswer));
const listed = {
  description: 'A page, oldest first; as JSON Lines, up to 10,000 a page, when `Accept` asks for them.',
  headers: { 'X-Next-Cursor': { type: 'string', description: 'With JSON Lines: where the next page starts; absent on the last.' } },
  content: { 'application/json': { schema: pageSchema ?? Type.Unknown() }, 'application/jsonl': { schema: Type.String() } },
};
const list = operation({ operationId: 'listAuditEvents', summary: 'The audit trail', querystring, answers: { 200: listed } });

/** `GET /admin/audit-events`: filters and cursor, oldest first; as JSON Lines with `Accept: application/jsonl` or `application/x-ndjson`. */
export function auditRoutes(app: FastifyInstance, log: AuditLog): void {
  app.get<{ Querystring: Query }>('/admin/audit-events', list, async ({ query, headers }, reply) => {
    const lines = /application\/(jsonl|x-ndjson)/.test(headers.accept ?? '');
    const { after } = readPage(query);
    const limit = Math.min(Number(query.limit ?? 50), lines ? 10_000 : 200);
    const events = await log.list({ ...filters(query), ...(after !== undefined && { after }), limit: limit + 1 });
    const { items, next_cursor } = page(
      events,
      limit,
      ({ id }) => id,
      ({ at, ...event }) => ({ ...event, at: new Date(at).toISOString() }),
    );
    if (!lines) return { items, next_cursor };
    if (next_cursor !== null) void reply.header('x-next-cursor', next_cursor);
    return reply.type('application/jsonl').send(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  });
}

function filters(query: Query): Omit<AuditQuery, 'limit' | 'after'> {
  const { type, client_id, jkt, jti } = query;
  const since = readTime(query.since, 'since');
  const until = readTime(query.until, 'until');
  return {
    ...(type !== undefined && { type }),
    ...(client_id !== undefined && { client_id }),
    ...(jkt !== undefined && { jkt }),
    ...(jti !== undefined && { jti }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

function readTime(text: string | undefined, member: string): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new Problem(400, 'the time is not in the form of RFC 3339', member);
  return time;
}
