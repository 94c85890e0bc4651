import type { AssertionKeys } from '../../ports/assertion-keys.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** The keys of platforms' tokens in the database. */
export function sqlAssertionKeys(database: Database, change: AuditedTransaction): AssertionKeys {
  const find = (token: string) => database.assertionKey.findUnique({ where: { token } });
  return {
    claim: async (token, jkt, expiresAt) =>
      orStoreUnavailable(async () => {
        // Mostly the key has it already. A row never changes hands by a claim, so this look tells.
        const held = await find(token);
        if (held !== null) return held.jkt;
        const made =
          await database.$executeRaw`insert into assertion_key (token, jkt, expires_at) values (${token}, ${jkt}, ${BigInt(expiresAt)}) on conflict do nothing`;
        return made === 1 ? jkt : ((await find(token))?.jkt ?? '');
      }),
    async change(token, from, to, event) {
      const sql = 'update assertion_key set jkt = $1 where token = $2 and jkt = $3';
      await change([{ sql, values: [to, token, from] }], event);
    },
  };
}
