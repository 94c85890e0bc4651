import { databaseKind } from '../../config/database-url.ts';
import type { Clock } from '../../domain/clock.ts';
import type { AuditTrail } from '../../ports/audit-trail.ts';
import { type Measurements, timed } from '../../ports/measurements.ts';
import type { Issuances } from '../../ports/ports.ts';
import type { ReplayStore } from '../../ports/replay-store.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { batchedIssuances, issuancesInTwoSteps } from './issuances.ts';
import { postgresqlIssuances } from './postgresql-issuances.ts';

interface IssuanceStores {
  readonly databaseUrl: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly audit: AuditTrail;
  /** Called when a thread has stopped. */
  readonly onError: (error: Error) => void;
  readonly replayElsewhere: ReplayStore | undefined;
  readonly measured?: Pick<Measurements, 'store'> | undefined;
}

/** Opens the write of an issuance: one transaction if uses and records are in one database. */
export async function openIssuances({
  databaseUrl,
  database,
  clock,
  audit,
  onError,
  replayElsewhere,
  measured,
}: IssuanceStores): Promise<Issuances & { close(): Promise<void> }> {
  const nothing = { close: async () => undefined };
  if (replayElsewhere !== undefined)
    return { ...issuancesInTwoSteps(replayElsewhere, audit), ...nothing };
  if (databaseKind(databaseUrl) === 'postgresql')
    return { ...batchedIssuances(postgresqlIssuances(database), clock), ...nothing };
  // Loaded here, so that a server on PostgreSQL loads no SQLite.
  const { sqliteIssuances } = await import('./sqlite-issuances.ts');
  const { commitBatch, close } = sqliteIssuances(databaseUrl, onError);
  // The thread makes checkpoints; this bound applies if it does not.
  await orStoreUnavailable(() => database.$queryRawUnsafe('pragma wal_autocheckpoint = 16384'));
  // The thread has its own connection.
  const time = timed(measured, 'database');
  const timedBatch: typeof commitBatch = async (...batch) => time(() => commitBatch(...batch));
  return { ...batchedIssuances(timedBatch, clock), close };
}
