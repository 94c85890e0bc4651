import type { DatabaseKind } from '../migrations/schema.ts';
import type { AuditedTransaction } from './audited-transaction.ts';
import type { Database } from './database.ts';
import type { DatabaseSeconds } from './database-time.ts';

/** A database and the ways to change it. */
export interface SqlStore {
  readonly database: Database;
  readonly kind: DatabaseKind;
  readonly change: AuditedTransaction;
  /** The database's time. */
  readonly seconds: DatabaseSeconds;
}
