import type { AuditTrail } from '../audit.ts';
import type { Clock, Issuances, ReplayStore } from '../ports.ts';
import { databaseKind } from './adapters.ts';
import type { Database } from './database.ts';
import { batchedIssuances, issuancesInTwoSteps } from './issuances.ts';
import { postgresqlIssuances } from './postgresql-issuances.ts';

interface IssuanceStores {
  readonly databaseUrl: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly audit: AuditTrail;
  readonly replayElsewhere?: ReplayStore;
}

/** The write of an issuance: one transaction where uses and records lie in one database. */
export async function openIssuances({
  databaseUrl,
  database,
  clock,
  audit,
  replayElsewhere,
}: IssuanceStores): Promise<Issuances & { close(): void }> {
  const nothing = { close: () => undefined };
  if (replayElsewhere !== undefined) return { ...issuancesInTwoSteps(replayElsewhere, audit), ...nothing };
  if (databaseKind(databaseUrl) === 'postgresql') return { ...batchedIssuances(postgresqlIssuances(database), clock), ...nothing };
  // Only here, so that a server on PostgreSQL loads no SQLite.
  const { sqliteIssuances } = await import('./sqlite-issuances.ts');
  const { commitBatch, close } = sqliteIssuances(databaseUrl);
  return { ...batchedIssuances(commitBatch, clock), close };
}
