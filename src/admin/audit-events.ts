import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditLog, AuditQuery } from '../audit.ts';
import { Problem } from './problem.ts';

const text = Type.Optional(Type.String({ maxLength: 512 }));
const querystring = Type.Object(
  {
    type: text,
    client_id: text,
    jkt: text,
    jti: text,
    since: Type.Optional(Type.String({ format: 'date-time' })),
    until: Type.Optional(Type.String({ format: 'date-time' })),
    cursor: text,
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,5}$' })),
  },
  { additionalProperties: false },
);

type Query = Readonly<Record<string, string | undefined>>;

/** `GET /admin/audit-events`: filters and cursor, oldest first; as JSON Lines with `Accept: application/jsonl` or `application/x-ndjson`. */
export function auditRoutes(app: FastifyInstance, log: AuditLog): void {
  app.get<{ Querystring: Query }>('/admin/audit-events', { schema: { querystring } }, async ({ query, headers }, reply) => {
    const lines = /application\/(jsonl|x-ndjson)/.test(headers.accept ?? '');
    const limit = Math.min(Number(query['limit'] ?? 50), lines ? 10_000 : 200);
    const events = await log.list({ ...filters(query), limit: limit + 1 });
    const items = events.slice(0, limit).map(({ at, ...event }) => ({ ...event, at: new Date(at).toISOString() }));
    const next = events.length > limit ? (items.at(-1)?.id ?? null) : null;
    if (!lines) return { items, next_cursor: next };
    if (next !== null) void reply.header('x-next-cursor', next);
    return reply.type('application/jsonl').send(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  });
}

function filters(query: Query): Omit<AuditQuery, 'limit'> {
  const { type, client_id, jkt, jti, cursor } = query;
  const since = readTime(query['since'], 'since');
  const until = readTime(query['until'], 'until');
  return {
    ...(type !== undefined && { type }),
    ...(client_id !== undefined && { client_id }),
    ...(jkt !== undefined && { jkt }),
    ...(jti !== undefined && { jti }),
    ...(cursor !== undefined && { after: cursor }),
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
