import { databaseKind } from '../../config/database-url.ts';
import type { AuditEvent } from '../../domain/audit-event.ts';
import type { Clock } from '../../domain/clock.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { eventRow, insertEvents } from '../tables/sql-audit.ts';
import type { Database } from './database.ts';
import { inTransaction, type Step } from './transaction.ts';

/**
 * The record of a change. A function receives the number of rows that the last step changed and
 * returns undefined if no record is needed.
 */
export type Recorded = AuditEvent | ((changed: number) => AuditEvent | undefined);

/**
 * Makes a change and its record in one transaction. False: a step found nothing to change, so
 * nothing was changed. Throws StoreUnavailable.
 */
export type AuditedTransaction = (steps: readonly Step[], event: Recorded) => Promise<boolean>;

/** Builds audited transactions on this database. */
export function auditedTransaction(
  url: string,
  database: Database,
  clock: Clock,
): AuditedTransaction {
  const kind = databaseKind(url);
  return async (steps, recorded) =>
    inTransaction(url, database, auditedSteps(kind, clock, steps, recorded));
}

/** The steps of a change, and the step that records it. */
export function auditedSteps(
  kind: DatabaseKind,
  clock: Clock,
  steps: readonly Step[],
  recorded: Recorded,
): readonly Step[] {
  const values = (changed: number) => {
    const event = typeof recorded === 'function' ? recorded(changed) : recorded;
    return [JSON.stringify(event === undefined ? [] : [eventRow(event, clock())])];
  };
  return [...steps, { sql: insertEvents[kind], values, rows: 'any' }];
}
