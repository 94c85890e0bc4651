import { timePrefix } from '../../domain/time-ordered-id.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { clockMargin, type DatabaseSeconds } from '../connection/database-time.ts';

/** Rows per statement, few enough not to delay a token request. */
const batch = 500;

/** Seconds for which last uses are kept; longer than a proof of a registered key counts. */
const useRetention = 366 * 86_400;

/** Removes expired rows, one batch per call, and returns whether there may be more. */
export interface ExpiredRows {
  readonly name: string;
  remove(): Promise<boolean>;
}

/**
 * Removes expired rows of every table that grows with use. The database's clock decides, with a
 * margin: one replica whose clock is ahead must not delete what others need.
 * @param auditRetention seconds
 * @param delivered the last audit event that AUDIT_SINK has, empty before the first; undefined
 * without a sink. Undelivered events are kept.
 */
export function sqlExpired(
  database: Database,
  seconds: DatabaseSeconds,
  auditRetention: number,
  delivered: () => Promise<string | undefined> = async () => undefined,
): readonly ExpiredRows[] {
  const expired = (now: number) => BigInt(now - clockMargin);
  const unused = (now: number) => BigInt(now - useRetention) * 1000n;
  const unaudited = async (now: number) => {
    const old = timePrefix((now - auditRetention) * 1000);
    const position = await delivered();
    // The smallest identifier above this one has one more character.
    return position === undefined || old <= position ? old : `${position}0`;
  };
  const tables = [
    ['replay_record', 'key', 'expires_at', expired],
    ['revoked_token', 'jti', 'expires_at', expired],
    ['withdrawn_holder', 'jti', 'expires_at', expired],
    ['assertion_key', 'token', 'expires_at', expired],
    ['token_status_list', 'id', 'expires_at', expired],
    ['credential_use', 'client_id, kind, identifier', 'used_at', unused],
    ['audit_event', 'id', 'id', unaudited],
  ] as const;
  return tables.map(([name, key, column, before]) => ({
    name,
    remove: async () => {
      const bound = await before(await seconds());
      const sql = `delete from ${name} where (${key}) in (select ${key} from ${name} where ${column} < $1 order by ${column} limit ${batch})`;
      return (await orStoreUnavailable(() => database.$executeRawUnsafe(sql, bound))) >= batch;
    },
  }));
}
