import type { AssertionKeys } from '../../ports/assertion-keys.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** The keys of platforms' tokens in the database. */
export function sqlAssertionKeys(database: Database, change: AuditedTransaction): AssertionKeys {
  const find = (token: string) => database.assertionKey.findUnique({ where: { token } });
  return {
    claim: async (token, jkt, expiresAt, pin) =>
      orStoreUnavailable(async () => {
        // Usually the key already holds it, and nothing needs to be written.
        const held = await find(token);
        if (held !== null && (held.jkt !== jkt || held.pinned || !pin)) return held;
        const made =
          await database.$executeRaw`insert into assertion_key (token, jkt, expires_at, pinned) values (${token}, ${jkt}, ${BigInt(expiresAt)}, ${pin ? 1 : 0} = 1) on conflict (token) do update set pinned = true where assertion_key.jkt = excluded.jkt and excluded.pinned`;
        if (made === 1) return { jkt, pinned: pin };
        return (await find(token)) ?? { jkt: '', pinned: true };
      }),
    async change(token, from, to, event) {
      const sql = 'update assertion_key set jkt = $1 where token = $2 and jkt = $3 and not pinned';
      return change([{ sql, values: [to, token, from] }], event);
    },
  };
}
