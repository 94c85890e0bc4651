import type { WithdrawnHolders } from '../ports.ts';
import { answered, type Database } from './database.ts';

/** Which further holders withdrew from which tokens. */
export function sqlWithdrawnHolders(database: Database): WithdrawnHolders {
  return {
    async withdraw(jti, clientId, expiresAt) {
      await answered(
        () =>
          database.$executeRaw`insert into withdrawn_holder (jti, client_id, expires_at) values (${jti}, ${clientId}, ${BigInt(expiresAt)}) on conflict do nothing`,
      );
    },
    withdrawnFrom: async (jti) =>
      (await answered(() => database.withdrawnHolder.findMany({ where: { jti }, select: { clientId: true } }))).map(({ clientId }) => clientId),
  };
}
