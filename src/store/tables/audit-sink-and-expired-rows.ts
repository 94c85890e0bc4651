import type { Config } from '../../config/config.ts';
import type { Database } from '../connection/database.ts';
import type { DatabaseSeconds } from '../connection/database-time.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { sqlAuditSink } from './sql-audit-sink.ts';
import { sqlExpired } from './sql-expired.ts';
import { sqlOrphanedUses } from './sql-orphaned-uses.ts';

/** How far the audit trail was sent, and the rows to remove: no event before it was sent. */
export function auditSinkAndExpiredRows(
  { auditSink: configured, auditRetention }: Pick<Config, 'auditSink' | 'auditRetention'>,
  database: Database,
  kind: DatabaseKind,
  seconds: DatabaseSeconds,
) {
  const auditSink = sqlAuditSink(database, kind);
  const delivered = async () => configured && auditSink.positionOf(configured.name);
  return {
    auditSink,
    expired: [
      ...sqlExpired(database, seconds, auditRetention, delivered),
      sqlOrphanedUses(database),
    ],
  };
}
