import type { TrustRule } from '../../domain/trust-rule.ts';
import type { TrustedIssuers } from '../../ports/ports.ts';
import type { TrustedIssuerRegistry } from '../../ports/trusted-issuer-registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { Step } from '../connection/transaction.ts';
import { type ClientIdentities, readListed, stillThere } from './client-identities.ts';
import { readTrustRule } from './columns.ts';
import { byId, sqlRegistry } from './sql-registry.ts';
import { pageById, type RegistrationRow } from './stored.ts';

/** More rules than an issuer needs; every token is checked against all of them. */
const maxRules = 1000;

interface Row extends RegistrationRow {
  readonly id: string;
  readonly trustedIssuerId: string;
  readonly priority: number;
  readonly listed: string | null;
}

function toRule({ id, trustedIssuerId, priority, metadata, listed }: Row): TrustRule {
  const place = { table: 'trust_rule', key: id };
  return {
    ...readTrustRule(metadata, place),
    listed: readListed(listed, place),
    id,
    trusted_issuer_id: trustedIssuerId,
    priority,
  };
}

interface Shared {
  readonly identities: ClientIdentities;
  readonly change: AuditedTransaction;
  /** Revokes what was issued by a removed rule. */
  readonly revocation: () => Promise<readonly Step[]>;
}

/** The rules of trusted issuers. */
export function sqlTrustRules(
  database: Database,
  { identities, change, revocation }: Shared,
): Pick<TrustedIssuerRegistry, 'rulesOf'> & Pick<TrustedIssuers, 'findRules'> {
  return {
    async findRules(trustedIssuerId) {
      const rows = await orStoreUnavailable(() =>
        database.trustRule.findMany({
          where: { trustedIssuerId },
          orderBy: [{ priority: 'asc' }, { createdAt: 'asc' }, { id: 'asc' }],
          take: maxRules,
        }),
      );
      return rows.map(toRule);
    },
    rulesOf: (trustedIssuerId) =>
      sqlRegistry<TrustRule, Row>(
        {
          ...byId,
          table: 'trust_rule',
          find: (id) =>
            orStoreUnavailable(() =>
              database.trustRule.findUnique({ where: { id, trustedIssuerId } }),
            ),
          page(query) {
            const { where, ...page } = pageById(query);
            return orStoreUnavailable(() =>
              database.trustRule.findMany({ ...page, where: { ...where, trustedIssuerId } }),
            );
          },
          read: toRule,
          columns: ({ id: _, listed: __, priority, trusted_issuer_id, ...metadata }) => ({
            priority,
            trusted_issuer_id,
            metadata: JSON.stringify(metadata),
          }),
          naming: {
            identities,
            names: namesIn,
            listed: ({ listed }) => listed,
            // The rule keeps its name; without it, the next change would open it to anybody.
            shown(rule, current) {
              const there = stillThere(namesIn(rule), rule.listed, current);
              return there.length < namesIn(rule).length ? { ...rule, listed: new Map() } : rule;
            },
          },
          needs: {
            sql: 'exists (select 1 from trusted_issuer where id = $1)',
            of: ({ trusted_issuer_id }) => trusted_issuer_id,
          },
          removal: async (_, deletion) => [deletion, ...(await revocation())],
        },
        change,
      ),
  };
}

function namesIn({ client_id }: TrustRule): readonly string[] {
  return client_id === undefined ? [] : [client_id];
}
