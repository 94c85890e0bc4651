import type { CredentialUses } from '../ports.ts';
import { answered, type Database } from './database.ts';

/** When which key of a client was last proven. */
export function sqlCredentialUses(database: Database): CredentialUses {
  return {
    async markProven(clientId, jkt, at) {
      await answered(
        () =>
          database.$executeRaw`insert into credential_use (client_id, kind, identifier, used_at) values (${clientId}, 'key', ${jkt}, ${BigInt(at)}) on conflict (client_id, kind, identifier) do update set used_at = excluded.used_at where excluded.used_at > credential_use.used_at`,
      );
    },
    async lastProven(clientId, jkt) {
      const where = { clientId_kind_identifier: { clientId, kind: 'key', identifier: jkt } };
      const row = await answered(() => database.credentialUse.findUnique({ where }));
      return row === null ? undefined : Number(row.usedAt);
    },
  };
}
