import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { basisGone, holderWithdrew, pairingRevoked, sourceServerGone } from './issuance-detail.ts';
import { lateDerived } from './revocation-steps.ts';
import { hourByMinutes, spans } from './spans.ts';

/** Seconds by which two sweeps overlap, to cover issuances in progress and slow clocks. */
const overlap = 120;

/**
 * Revokes what was exchanged for tokens of a compromised signing key, and what another replica
 * issued just as its client, resource server, trusted issuer or rule was deleted or its pairing
 * revoked. The first sweep also finishes the work of a process that died.
 */
export function lateRevocations(database: Database, kind: DatabaseKind, tokenLifetime: number) {
  const late = `insert into revoked_token (jti, expires_at) select e.id, e.token_expires_at from audit_event e left join client c on c.client_id = e.client_id and (e.registration_id is null or c.registration_id = e.registration_id) where e.id > $1 and e.type = 'token_issued' and e.token_expires_at > $2 and e.id < $3 and ((c.client_id is null and e.client_id not like 'urn:holdfast:rule:%') or ${pairingRevoked(kind)} or ${basisGone(kind)} or ${sourceServerGone} or ${holderWithdrew}) on conflict do nothing`;
  let sweptAt = 0;
  let sweptFor: unknown;
  return async (at: number): Promise<void> => {
    const [keys] = await orStoreUnavailable(
      () =>
        database.$queryRaw<
          readonly { readonly revoked: unknown }[]
        >`select count(*) as revoked from signing_key where revoked_at is not null`,
    );
    // What was exchanged for tokens of a compromised key may be of any age.
    const since = keys?.revoked === sweptFor ? sweptAt - overlap : 0;
    const first = Math.max(since, at - tokenLifetime);
    for (const [start, end] of spans(first, at + overlap, { byMinuteFrom: at - hourByMinutes }))
      await orStoreUnavailable(async () => {
        await database.$executeRawUnsafe(late, start, BigInt(at), end);
        // Also revokes what came of those, or of any other revoked token.
        await database.$executeRawUnsafe(lateDerived, start, end, BigInt(at));
      });
    sweptAt = at;
    sweptFor = keys?.revoked;
  };
}
