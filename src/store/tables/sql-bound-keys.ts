import type { BoundKey, BoundKeys } from '../../ports/bound-keys.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { spans } from './spans.ts';

interface Row {
  readonly client_id: string;
  readonly jkt: string;
  readonly expires_at: bigint | number;
}

/** As in the index `client_jwks_uri_idx`, and so by the text. */
const hasJwksUri: Readonly<Record<DatabaseKind, string>> = {
  sqlite: `instr(c.metadata, '"jwks_uri":') > 0`,
  postgresql: `strpos(c.metadata, '"jwks_uri":') > 0`,
};
/** A certificate is registered, so that the handshake proved a registered key. */
const isSelfSigned: Readonly<Record<DatabaseKind, string>> = {
  sqlite: `instr(c.metadata, '"self_signed_tls_client_auth"') > 0`,
  postgresql: `strpos(c.metadata, '"self_signed_tls_client_auth"') > 0`,
};
const parameters: Readonly<Record<DatabaseKind, readonly string[]>> = {
  sqlite: ['?', '?', '?', '?'],
  postgresql: ['$1', '$2', '$3', '$4'],
};

/**
 * Keys to which live tokens are bound, from the records of their issuance. `tokenLifetime` in
 * seconds.
 */
export function sqlBoundKeys(
  database: Database,
  kind: DatabaseKind,
  tokenLifetime: number,
): BoundKeys {
  const [from, to, now, changed] = parameters[kind];
  const bound = `select e.client_id, e.jkt, max(e.token_expires_at) as expires_at from client c cross join audit_event e where e.client_id = c.client_id and e.id > ${from} and e.id < ${to} and e.type = 'token_issued' and (e.evidence = 'client_assertion' or (e.evidence = 'tls_handshake' and ${isSelfSigned[kind]})) and e.token_expires_at > ${now}`;
  const remote = `${bound} and ${hasJwksUri[kind]} group by e.client_id, e.jkt`;
  const ofChanged = `${bound} and c.updated_at > ${changed} group by e.client_id, e.jkt`;
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
