import { adminAudience } from '../../domain/admin-access.ts';
import { timePrefix } from '../../domain/time-ordered-id.ts';
import type { IssuedTokens } from '../../ports/issued-tokens.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** Seconds; tokens for the admin API live for minutes, so older records can be skipped. */
const longest = 86_400;

/** Finds the clients that have tokens for the admin API bound to a key. */
export function adminsOfKey(database: Database): IssuedTokens['adminsOfKey'] {
  return async (jkt, now) => {
    const rows = await orStoreUnavailable(() =>
      database.auditEvent.findMany({
        where: {
          jkt,
          type: 'token_issued',
          resourceServerId: adminAudience,
          tokenExpiresAt: { gt: BigInt(now) },
          id: { gt: timePrefix((now - longest) * 1000) },
        },
        select: { clientId: true },
      }),
    );
    return [...new Set(rows.flatMap(({ clientId }) => clientId ?? []))];
  };
}
