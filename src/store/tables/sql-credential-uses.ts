import type { CredentialUseLog } from '../../ports/credential-use-log.ts';
import type { CredentialUses } from '../../ports/ports.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { inDialects, jsonRows, namesOf } from './dialect.ts';

/** Maximum credentials in one answer. */
const maxListed = 100;

/** The latest time wins, in whatever order replicas write. */
const onConflict =
  'on conflict (client_id, kind, identifier) do update set kid = excluded.kid, used_at = excluded.used_at where excluded.used_at > credential_use.used_at';

const columns = '"registrationId" text, kind text, identifier text, kid text, "usedAt" bigint';
const upsert = inDialects(
  (kind) =>
    `insert into credential_use (client_id, kind, identifier, kid, used_at) select ${namesOf(columns)} from ${jsonRows[kind](columns)} where true ${onConflict}`,
);

/** When each credential of a client was last used, and when a key was last proven. */
export function sqlCredentialUses(
  database: Database,
  databaseKind: DatabaseKind,
): CredentialUses & CredentialUseLog {
  return {
    async markProven(registrationId, jkt, at) {
      await orStoreUnavailable(
        () =>
          database.$executeRaw`insert into credential_use (client_id, kind, identifier, used_at) values (${registrationId}, 'key', ${jkt}, ${BigInt(at)}) on conflict (client_id, kind, identifier) do update set used_at = excluded.used_at where excluded.used_at > credential_use.used_at`,
      );
    },
    async lastProven(registrationId, jkt) {
      const where = {
        registrationId_kind_identifier: { registrationId, kind: 'key', identifier: jkt },
      };
      const row = await orStoreUnavailable(() => database.credentialUse.findUnique({ where }));
      return row === null ? undefined : Number(row.usedAt);
    },
    async record(uses) {
      // The same order everywhere, so that two batches with the same credentials cannot deadlock.
      const name = ({ registrationId, kind, identifier }: (typeof uses)[number]) =>
        `${registrationId} ${kind} ${identifier}`;
      const sorted = [...uses].sort((x, y) => (name(x) < name(y) ? -1 : 1));
      await orStoreUnavailable(() =>
        database.$executeRawUnsafe(upsert[databaseKind], JSON.stringify(sorted)),
      );
    },
    async usesOf(registrationId, kind) {
      const rows = await orStoreUnavailable(() =>
        database.credentialUse.findMany({
          where: { registrationId, kind },
          orderBy: { usedAt: 'desc' },
          take: maxListed,
        }),
      );
      return rows.map(({ identifier, kid, usedAt }) => ({
        registrationId,
        kind,
        identifier,
        ...(kid !== null && { kid }),
        usedAt: Number(usedAt),
      }));
    },
  };
}
