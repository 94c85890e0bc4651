import type { AuditSinkStore } from '../../ports/audit-sink-store.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { databaseTime } from '../connection/database-time.ts';
import type { DatabaseKind } from '../migrations/schema.ts';

/** The positions of audit sinks in the database. */
export function sqlAuditSink(database: Database, kind: DatabaseKind): AuditSinkStore {
  const now = databaseTime[kind];
  // Nobody holds it for longer: a later time is from a clock that was ahead.
  const hold = `insert into audit_sink (sink, holder, held_until) values ($1, $2, ${now} + $3)
    on conflict (sink) do update set holder = excluded.holder, held_until = excluded.held_until
    where audit_sink.holder is null or audit_sink.holder = excluded.holder
      or audit_sink.held_until < ${now} or audit_sink.held_until > ${now} + $3 returning position`;
  const advance = `update audit_sink set position = $1, held_until = ${now} + $2
    where sink = $3 and holder = $4`;
  return {
    async hold(sink, holder, milliseconds) {
      const [row] = await orStoreUnavailable(() =>
        database.$queryRawUnsafe<{ readonly position: string }[]>(hold, sink, holder, milliseconds),
      );
      return row?.position;
    },
    async advance(sink, holder, position, milliseconds) {
      const changed = await orStoreUnavailable(() =>
        database.$executeRawUnsafe(advance, position, milliseconds, sink, holder),
      );
      return changed === 1;
    },
    async positionOf(sink) {
      const row = await orStoreUnavailable(() =>
        database.auditSink.findUnique({ where: { sink } }),
      );
      return row?.position ?? '';
    },
    async release(sink, holder) {
      await orStoreUnavailable(() =>
        database.auditSink.updateMany({ where: { sink, holder }, data: { holder: null } }),
      );
    },
  };
}
