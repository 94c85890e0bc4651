import { actingAdmin, recordedName } from '../../domain/acting-admin.ts';
import type { AuditEvent, RecordedEvent } from '../../domain/audit-event.ts';
import type { Clock } from '../../domain/clock.ts';
import { defined } from '../../domain/defined.ts';
import { CorruptRow } from '../../domain/oauth-error.ts';
import { timeOf, timeOrderedId, timePrefix } from '../../domain/time-ordered-id.ts';
import type { AuditLog, AuditTrail } from '../../ports/audit-trail.ts';
import { batched } from '../connection/batched.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { prepared } from '../connection/prepared-statements.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { readDetail } from './columns.ts';
import { inDialects, jsonRows, namesOf } from './dialect.ts';
import { intact } from './json-column.ts';

/** Columns of `audit_event`, with their types. */
export const eventColumns =
  'id text, at bigint, type text, actor text, client_id text, audience text, jkt text, jti text, evidence text, reason text, token_expires_at bigint, registration_id text, resource_server_id text, source text, actor_source text, client_authority text, grant_authority text, detail text';

/** Inserts events as built by `eventRow`; the source of the columns follows. */
export const insertInto = `insert into audit_event (${namesOf(eventColumns)}) select ${namesOf(eventColumns)} from`;

/** Inserts the events of a batch. */
export const insertEvents = inDialects((kind) =>
  prepared(`${insertInto} ${jsonRows[kind](eventColumns)}`),
);

/**
 * Builds the row of an event, with the columns as members. Its time is the one in its `id`, so that
 * both sort in the same order.
 */
export function eventRow(event: AuditEvent, now: number): object {
  const id = event.id ?? timeOrderedId(now);
  return {
    ...withActor(event),
    id,
    at: timeOf(id),
    ...(event.detail !== undefined && { detail: JSON.stringify(event.detail) }),
  };
}

/** Adds the admin on whose behalf this is recorded. */
function withActor(event: AuditEvent): AuditEvent {
  const admin = event.actor === 'admin' ? actingAdmin() : undefined;
  return admin === undefined ? event : { ...event, actor: `admin:${recordedName(admin)}` };
}

/** The audit trail in the database. */
export function sqlAudit(
  database: Database,
  kind: DatabaseKind,
  clock: Clock,
): AuditTrail & AuditLog {
  const append = batched<AuditEvent, undefined>(async (events) => {
    const at = clock();
    const rows = events.map((event) => eventRow(event, at));
    await orStoreUnavailable(() =>
      database.$executeRawUnsafe(insertEvents[kind], JSON.stringify(rows)),
    );
    return events.map(() => undefined);
  });
  return {
    async record(event) {
      // Resolved now, because the batch is written on behalf of its first caller.
      await append(withActor(event));
    },
    async list({ limit, after, since, until, type, client_id, jkt, jti }) {
      const from = [after, since === undefined ? undefined : timePrefix(since)]
        .filter((bound) => bound !== undefined)
        .sort()
        .at(-1);
      const rows = await orStoreUnavailable(() =>
        database.auditEvent.findMany({
          where: {
            id: defined({ gt: from, lt: until === undefined ? undefined : timePrefix(until) }),
            ...defined({ type, clientId: client_id, jkt, jti }),
          },
          orderBy: { id: 'asc' },
          take: limit,
        }),
      );
      return rows.map(
        ({
          at,
          clientId,
          tokenExpiresAt,
          registrationId,
          resourceServerId,
          actorSource,
          clientAuthority,
          grantAuthority,
          detail,
          ...row
        }) => {
          const event = {
            ...row,
            at: Number(at),
            client_id: clientId,
            registration_id: registrationId,
            resource_server_id: resourceServerId,
            actor_source: actorSource,
            client_authority: clientAuthority,
            grant_authority: grantAuthority,
            token_expires_at: tokenExpiresAt === null ? null : Number(tokenExpiresAt),
            detail: detail === null ? null : shownDetail(detail, row.id),
          };
          return Object.fromEntries(
            Object.entries(event).filter(([, value]) => value !== null),
          ) as unknown as RecordedEvent;
        },
      );
    },
  };
}

/** Reads the detail of an event; a damaged one must not hide others. */
function shownDetail(text: string, id: string): object {
  const detail = intact(() => readDetail(text, { table: 'audit_event', key: id }));
  return detail instanceof CorruptRow ? { damaged: true } : detail;
}
