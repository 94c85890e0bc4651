import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { ExpiredRows } from './sql-expired.ts';

/** Maximum rows that one call reads or removes. */
const batch = 500;

/**
 * Removes credential uses of deleted clients and resource servers. Each call reads the next rows in
 * key order, so it is short however large the table is.
 */
export function sqlOrphanedUses(database: Database): ExpiredRows {
  let after = '';
  return {
    name: 'orphaned_credential_use',
    remove: () =>
      orStoreUnavailable(async () => {
        const page = await database.credentialUse.findMany({
          where: { registrationId: { gt: after } },
          orderBy: { registrationId: 'asc' },
          take: batch,
          select: { registrationId: true },
        });
        const until = page.at(-1)?.registrationId;
        const removed =
          until === undefined
            ? 0
            : await database.$executeRaw`delete from credential_use where (client_id, kind, identifier) in (select client_id, kind, identifier from credential_use u where client_id > ${after} and client_id <= ${until} and not exists (select 1 from client c where c.registration_id = u.client_id) and not exists (select 1 from resource_server r where r.id = u.client_id) limit ${batch})`;
        // Remove more of these first; otherwise read the next page in the next round, and start
        // over after the last one.
        if (removed >= batch) return true;
        after = page.length < batch ? '' : (until ?? '');
        return false;
      }),
  };
}
