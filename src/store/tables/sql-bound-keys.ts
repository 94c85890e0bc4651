import type { BoundKey, BoundKeys } from '../../ports/bound-keys.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { contains } from './dialect.ts';
import { spans } from './spans.ts';

interface Row {
  readonly client_id: string;
  readonly jkt: string;
  readonly expires_at: bigint | number;
}

/** Keys to which unexpired tokens are bound, from their records. `tokenLifetime` in seconds. */
export function sqlBoundKeys(
  database: Database,
  kind: DatabaseKind,
  tokenLifetime: number,
): BoundKeys {
  // Searches the text, as the index `client_jwks_uri_idx` does.
  const hasJwksUri = contains(kind, 'c.metadata', '"jwks_uri":');
  // The certificate is registered, so the handshake proved a registered key.
  const isSelfSigned = contains(kind, 'c.metadata', '"self_signed_tls_client_auth"');
  const bound = `select e.client_id, e.jkt, max(e.token_expires_at) as expires_at from client c cross join audit_event e where e.client_id = c.client_id and e.id > $1 and e.id < $2 and e.type = 'token_issued' and (e.evidence = 'client_assertion' or (e.evidence = 'tls_handshake' and ${isSelfSigned})) and e.token_expires_at > $3`;
  const remote = `${bound} and ${hasJwksUri} group by e.client_id, e.jkt`;
  const ofChanged = `${bound} and c.updated_at > $4 group by e.client_id, e.jkt`;
  const keys = async (
    statement: string,
    first: number,
    at: number,
    ...more: readonly bigint[]
  ): Promise<readonly BoundKey[]> => {
    const found: BoundKey[] = [];
    for (const span of spans(first, at + 60)) {
      const rows = await orStoreUnavailable(() =>
        database.$queryRawUnsafe<Row[]>(statement, ...span, BigInt(at), ...more),
      );
      for (const { client_id, jkt, expires_at } of rows)
        found.push({ client_id, jkt, expiresAt: Number(expires_at) });
    }
    return found;
  };
  return {
    async since(after, at) {
      const changedSince = BigInt(after) * 1000n;
      const isChanged = await orStoreUnavailable(() =>
        database.client.findFirst({
          where: { updatedAt: { gt: changedSince } },
          select: { clientId: true },
        }),
      );
      return [
        ...(await keys(remote, after, at)),
        ...(isChanged === null ? [] : await keys(ofChanged, at - tokenLifetime, at, changedSince)),
      ];
    },
  };
}
