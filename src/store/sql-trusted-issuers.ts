import type { TrustedIssuerRegistry } from '../admin/trusted-issuers.ts';
import type { TrustedIssuers } from '../ports.ts';
import type { TrustedIssuer } from '../trusted-issuer.ts';
import { readTrustedIssuer } from './columns.ts';
import { answered, type Database } from './database.ts';

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
export function sqlTrustedIssuers(database: Database): TrustedIssuerRegistry & TrustedIssuers {
  const one = (row: Row | null) => (row === null ? undefined : toTrustedIssuer(row));
  return {
    findTrustedIssuer: async (issuer) => one(await answered(() => database.trustedIssuer.findUnique({ where: { issuer } }))),
    get: async (id) => one(await answered(() => database.trustedIssuer.findUnique({ where: { id } }))),
    async create(trusted, createdAt) {
      const { id, issuer, ...more } = trusted;
      const at = BigInt(createdAt);
      const metadata = JSON.stringify(more);
      const count = await answered(
        () =>
          database.$executeRaw`insert into trusted_issuer (id, issuer, metadata, version, created_at, updated_at) values (${id}, ${issuer}, ${metadata}, 1, ${at}, ${at}) on conflict do nothing`,
      );
      return count === 0 ? 'conflict' : trusted;
    },
    list: async (limit, after) =>
      (await answered(() => database.trustedIssuer.findMany({ where: { id: { gt: after ?? '' } }, orderBy: { id: 'asc' }, take: limit }))).map(
        toTrustedIssuer,
      ),
    remove: async (id) => (await answered(() => database.trustedIssuer.deleteMany({ where: { id } }))).count > 0,
  };
}
