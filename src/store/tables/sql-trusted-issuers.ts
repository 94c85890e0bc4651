import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { TrustedIssuers } from '../../ports/ports.ts';
import type { TrustedIssuerRegistry } from '../../ports/trusted-issuer-registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import { clockMargin, type DatabaseSeconds } from '../connection/database-time.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { clientIdentities, readListed, stillThere, writeListed } from './client-identities.ts';
import { readTrustedIssuer } from './columns.ts';
import { revokeWithoutAuthority } from './revocation-steps.ts';

interface Row {
  readonly id: string;
  readonly issuer: string;
  readonly metadata: string;
  readonly listed: string | null;
}

function toTrustedIssuer({ id, issuer, metadata, listed }: Row): TrustedIssuer {
  const place = { table: 'trusted_issuer', key: id };
  return {
    ...readTrustedIssuer(metadata, place),
    listed: readListed(listed, place),
    id,
    issuer,
  };
}

/** Trusted OpenID providers, for the protocol and for the admin. */
export function sqlTrustedIssuers(
  database: Database,
  kind: DatabaseKind,
  change: AuditedTransaction,
  seconds: DatabaseSeconds,
): TrustedIssuerRegistry & TrustedIssuers {
  const identities = clientIdentities(database, kind);
  const one = (row: Row | null) => (row === null ? undefined : toTrustedIssuer(row));
  /** As the operator sees them: a client that is deleted is in no list. */
  const shown = async (rows: readonly Row[]): Promise<readonly TrustedIssuer[]> => {
    const issuers = rows.map(toTrustedIssuer);
    const named = new Set(issuers.flatMap(({ clients = [] }) => clients));
    const current = await identities.current([...named]);
    return issuers.map(({ clients, ...issuer }) => ({
      ...issuer,
      ...(clients !== undefined && { clients: stillThere(clients, issuer.listed, current) }),
    }));
  };
  return {
    findTrustedIssuer: async (issuer) =>
      one(await orStoreUnavailable(() => database.trustedIssuer.findUnique({ where: { issuer } }))),
    async get(id) {
      const row = await orStoreUnavailable(() =>
        database.trustedIssuer.findUnique({ where: { id } }),
      );
      return row === null ? undefined : (await shown([row]))[0];
    },
    async create(trusted, { at, event }) {
      const { id, issuer, ...more } = trusted;
      const listed = writeListed(await identities.reserve(trusted.clients ?? []));
      const sql =
        'insert into trusted_issuer (id, issuer, metadata, listed_clients, version, created_at, updated_at) values ($1, $2, $3, $4, 1, $5, $6) on conflict do nothing';
      const values = [id, issuer, JSON.stringify(more), listed, at, at];
      return (await change([{ sql, values }], event)) ? trusted : 'conflict';
    },
    list: async (limit, after) =>
      shown(
        await orStoreUnavailable(() =>
          database.trustedIssuer.findMany({
            where: { id: { gt: after ?? '' } },
            orderBy: { id: 'asc' },
            take: limit,
          }),
        ),
      ),
    remove: async (id, event) =>
      change(
        [
          { sql: 'delete from trusted_issuer where id = $1', values: [id] },
          { sql: 'delete from trust_rule where trusted_issuer_id = $1', values: [id], rows: 'any' },
          ...revokeWithoutAuthority((await seconds()) - clockMargin),
        ],
        event,
      ),
  };
}
