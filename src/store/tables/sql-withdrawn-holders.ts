import type { WithdrawnHolders } from '../../ports/ports.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { revokeDerivedBy } from './revocation-steps.ts';

/** The additional holders that have withdrawn from tokens. */
export function sqlWithdrawnHolders(
  database: Database,
  change: AuditedTransaction,
): WithdrawnHolders {
  return {
    async withdraw(jti, clientId, expiresAt, event) {
      const sql =
        'insert into withdrawn_holder (jti, client_id, expires_at) values ($1, $2, $3) on conflict do nothing';
      const withdrawal = { sql, values: [jti, clientId, expiresAt], rows: 'any' } as const;
      await change([withdrawal, revokeDerivedBy(clientId, jti)], event);
    },
    withdrawnFrom: async (jti) =>
      (
        await orStoreUnavailable(() =>
          database.withdrawnHolder.findMany({ where: { jti }, select: { clientId: true } }),
        )
      ).map(({ clientId }) => clientId),
  };
}
