import type { Database } from '../connection/database.ts';
import { prepared } from '../connection/prepared-statements.ts';
import type { CommitBatch } from './issuances.ts';
import { eventColumns, insertInto } from './sql-audit.ts';
import { insertUses } from './sql-replay.ts';

const commit = prepared(`with used as (${insertUses.postgresql}), recorded as (
  ${insertInto} jsonb_to_recordset($2::jsonb) as issuance("row" jsonb, uses jsonb)
  cross join lateral jsonb_to_record(issuance."row") as event(${eventColumns})
  where not exists (
    select from jsonb_array_elements_text(issuance.uses) as needed(key)
    where needed.key not in (select used.key from used))
) select key from used`);

/** Uses and records in one statement, which is one transaction and one round trip. */
export function postgresqlIssuances(database: Database): CommitBatch {
  return async (uses, issuances) => {
    const rows = await database.$queryRawUnsafe<{ readonly key: string }[]>(
      commit,
      JSON.stringify(uses),
      JSON.stringify(issuances),
    );
    return rows.map(({ key }) => key);
  };
}
