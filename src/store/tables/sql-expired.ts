import { timePrefix } from '../../domain/time-ordered-id.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { clockMargin, type DatabaseSeconds } from '../connection/database-time.ts';

/** Rows a statement: few enough not to hold up a token request. */
const batch = 500;

/**
 * Seconds for which the last use of a credential is kept; longer than any proof of a registered key
 * counts.
 */
const useRetention = 366 * 86_400;

/**
 * Removes rows that mean nothing any more, a batch a call; each answers whether there may be more.
 */
export interface ExpiredRows {
  readonly name: string;
  remove(): Promise<boolean>;
}

/**
 * Every table that grows with use. What has expired is decided by the database's clock, with a
 * margin: one replica whose clock is ahead must not delete what the others still need.
 * @param auditRetention seconds
 */
export function sqlExpired(
  database: Database,
  seconds: DatabaseSeconds,
  auditRetention: number,
): readonly ExpiredRows[] {
  const tables: readonly (readonly [string, (now: number) => Promise<number>])[] = [
    [
      'replay_record',
      (now) =>
        database.$executeRaw`delete from replay_record where key in (select key from replay_record where expires_at < ${BigInt(now - clockMargin)} limit ${batch})`,
    ],
    [
      'revoked_token',
      (now) =>
        database.$executeRaw`delete from revoked_token where jti in (select jti from revoked_token where expires_at < ${BigInt(now - clockMargin)} limit ${batch})`,
    ],
    [
      'withdrawn_holder',
      (now) =>
        database.$executeRaw`delete from withdrawn_holder where jti in (select jti from withdrawn_holder where expires_at < ${BigInt(now - clockMargin)} limit ${batch})`,
    ],
    [
      'assertion_key',
      (now) =>
        database.$executeRaw`delete from assertion_key where token in (select token from assertion_key where expires_at < ${BigInt(now - clockMargin)} limit ${batch})`,
    ],
    [
      'token_status_list',
      (now) =>
        database.$executeRaw`delete from token_status_list where id in (select id from token_status_list where expires_at < ${BigInt(now - clockMargin)} limit ${batch})`,
    ],
    [
      'credential_use',
      (now) =>
        database.$executeRaw`delete from credential_use where (client_id, kind, identifier) in (select client_id, kind, identifier from credential_use where used_at < ${BigInt(now - useRetention) * 1000n} limit ${batch})`,
    ],
    [
      'audit_event',
      (now) =>
        database.$executeRaw`delete from audit_event where id in (select id from audit_event where id < ${timePrefix((now - auditRetention) * 1000)} order by id limit ${batch})`,
    ],
  ];
  return tables.map(([name, remove]) => ({
    name,
    remove: async () => {
      const now = await seconds();
      return (await orStoreUnavailable(() => remove(now))) >= batch;
    },
  }));
}
