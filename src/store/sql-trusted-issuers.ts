import type { TrustedIssuerRegistry } from '../admin/trusted-issuers.ts';
import type { TrustedIssuers } from '../ports.ts';
import type { TrustedIssuer } from '../trusted-issuer.ts';
import { readTrustedIssuer } from './columns.ts';
import { answered, type Database } from './database.ts';
import type { RecordedChange } from './recorded-change.ts';

interface Row {
  readonly id: string;
  readonly issuer: string;
  readonly metadata: string;
}

const toTrustedIssuer = ({ id, issuer, metadata }: Row): TrustedIssuer => ({
  ...readTrustedIssuer(metadata, { table: 'trusted_issuer', key: id }),
  id,
  issuer,
});

/** Trusted OpenID providers, for the protocol and for the admin. */
export function sqlTrustedIssuers(
  database: Database,
  change: RecordedChange,
): TrustedIssuerRegistry & TrustedIssuers {
  const one = (row: Row | null) => (row === null ? undefined : toTrustedIssuer(row));
  return {
    findTrustedIssuer: async (issuer) =>
      one(await answered(() => database.trustedIssuer.findUnique({ where: { issuer } }))),
    get: async (id) =>
      one(await answered(() => database.trustedIssuer.findUnique({ where: { id } }))),
    async create(trusted, { at, event }) {
      const { id, issuer, ...more } = trusted;
      const sql =
        'insert into trusted_issuer (id, issuer, metadata, version, created_at, updated_at) values ($1, $2, $3, 1, $4, $5) on conflict do nothing';
      return (await change([{ sql, values: [id, issuer, JSON.stringify(more), at, at] }], event))
        ? trusted
        : 'conflict';
    },
    list: async (limit, after) =>
      (
        await answered(() =>
          database.trustedIssuer.findMany({
            where: { id: { gt: after ?? '' } },
            orderBy: { id: 'asc' },
            take: limit,
          }),
        )
      ).map(toTrustedIssuer),
    remove: (id, event) =>
      change([{ sql: 'delete from trusted_issuer where id = $1', values: [id] }], event),
  };
}
