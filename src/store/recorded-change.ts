import type { AuditEvent } from '../audit.ts';
import { databaseKind } from '../database-url.ts';
import type { Clock } from '../ports.ts';
import { allOrNothing, type Step } from './all-or-nothing.ts';
import type { Database } from './database.ts';
import { eventRow, insertEvents } from './sql-audit.ts';

/** What is to be recorded of a change; a function is told how many rows the last step changed, and answers undefined where that needs no record. */
export type Recorded = AuditEvent | ((changed: number) => AuditEvent | undefined);

/** Makes a change and its record one transaction: neither stands without the other. False: a step found nothing to change, and nothing was. Throws StoreUnavailable. */
export type RecordedChange = (steps: readonly Step[], event: Recorded) => Promise<boolean>;

/** Changes on this database. */
export function recordedChange(url: string, database: Database, clock: Clock): RecordedChange {
  return async (steps, recorded) => {
    const values = (changed: number) => {
      const event = typeof recorded === 'function' ? recorded(changed) : recorded;
      return [JSON.stringify(event === undefined ? [] : [eventRow(event, clock())])];
    };
    return allOrNothing(url, database, [
      ...steps,
      { sql: insertEvents[databaseKind(url)], values, rows: 'any' },
    ]);
  };
}
