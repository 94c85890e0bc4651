import { hash } from 'node:crypto';
import { heldBytes } from '../../domain/held-bytes.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import { boundedCache } from '../../jose/bounded-cache.ts';
import type { TrustedIssuers } from '../../ports/ports.ts';
import type { TrustedIssuerRegistry } from '../../ports/trusted-issuer-registry.ts';
import { orStoreUnavailable } from '../connection/database.ts';
import { clockMargin } from '../connection/database-time.ts';
import { prepared } from '../connection/prepared-statements.ts';
import type { SqlStore } from '../connection/sql-store.ts';
import type { DatabaseKind } from '../migrations/schema.ts';
import { clientIdentities, readListed, stillThere } from './client-identities.ts';
import { readTrustedIssuer } from './columns.ts';
import { revokeWithoutAuthority } from './revocation-steps.ts';
import { byId, sqlRegistry } from './sql-registry.ts';
import { sqlTrustRules } from './sql-trust-rules.ts';
import { pageById, type RegistrationRow } from './stored.ts';

interface Row extends RegistrationRow {
  readonly id: string;
  readonly issuer: string;
  readonly listed: string | null;
}

/** Builds a reader that parses each issuer's text once, so that its keys are imported once too. */
function issuerReader(): (row: Row) => TrustedIssuer {
  const known = boundedCache<TrustedIssuer>(16 * 1024 * 1024);
  return ({ id, issuer, metadata, listed }) => {
    const key = hash('sha256', JSON.stringify([id, issuer, metadata, listed]), 'base64url');
    const before = known.get(key);
    if (before !== undefined) return before;
    const place = { table: 'trusted_issuer', key: id };
    const read = {
      ...readTrustedIssuer(metadata, place),
      listed: readListed(listed, place),
      id,
      issuer,
    };
    known.set(key, read, heldBytes(metadata));
    return read;
  };
}

const inMetadata: Readonly<Record<DatabaseKind, string>> = {
  sqlite: "case when json_valid(metadata) then metadata->>'subject_prefix' end",
  postgresql: "json_or_null(metadata)->>'subject_prefix'",
};

/** Parameter: the subject. A damaged row counts as one without a prefix. */
const ownerOfSubject = (kind: DatabaseKind): string => {
  const prefix = `coalesce(subject_prefix, ${inMetadata[kind]}, '')`;
  return prepared(
    `with given as (select cast($1 as text) as subject), issuers as materialized (select id, ${prefix} as prefix from trusted_issuer) select id from issuers, given where prefix <> '' and substr(subject, 1, length(prefix)) = prefix`,
  );
};

/** Trusted issuers and their rules, for the protocol and for the admin. */
export function sqlTrustedIssuers({
  database,
  kind,
  change,
  seconds,
}: SqlStore): TrustedIssuerRegistry & TrustedIssuers {
  const identities = clientIdentities(database, kind);
  const read = issuerReader();
  const revocation = async () => revokeWithoutAuthority((await seconds()) - clockMargin);
  const registry = sqlRegistry<TrustedIssuer, Row>(
    {
      ...byId,
      table: 'trusted_issuer',
      find: (id) => orStoreUnavailable(() => database.trustedIssuer.findUnique({ where: { id } })),
      page: (query) => orStoreUnavailable(() => database.trustedIssuer.findMany(pageById(query))),
      read,
      columns: ({ id: _, listed: __, issuer, ...metadata }) => ({
        issuer,
        subject_prefix: metadata.subject_prefix ?? '',
        metadata: JSON.stringify(metadata),
      }),
      naming: {
        identities,
        names: ({ clients = [] }) => clients,
        listed: ({ listed }) => listed,
        shown: ({ clients, ...issuer }, current) => ({
          ...issuer,
          ...(clients !== undefined && { clients: stillThere(clients, issuer.listed, current) }),
        }),
      },
      removal: async (id, deletion) => [
        deletion,
        { sql: 'delete from trust_rule where trusted_issuer_id = $1', values: [id], rows: 'any' },
        ...(await revocation()),
      ],
    },
    change,
  );
  return {
    ...registry,
    ...sqlTrustRules(database, { identities, change, revocation }),
    async findTrustedIssuer(issuer) {
      const row = await orStoreUnavailable(() =>
        database.trustedIssuer.findUnique({ where: { issuer } }),
      );
      return row === null ? undefined : read(row);
    },
    async ownerOfSubject(subject) {
      const [owner] = await orStoreUnavailable(() =>
        database.$queryRawUnsafe<readonly { readonly id: string }[]>(ownerOfSubject(kind), subject),
      );
      return owner?.id;
    },
  };
}
