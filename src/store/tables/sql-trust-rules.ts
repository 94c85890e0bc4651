import type { TrustRule } from '../../domain/trust-rule.ts';
import type { TrustedIssuers } from '../../ports/ports.ts';
import type { TrustedIssuerRegistry } from '../../ports/trusted-issuer-registry.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { Step } from '../connection/transaction.ts';
import { type ClientIdentities, readListed, stillThere } from './client-identities.ts';
import { readTrustRule } from './columns.ts';
import { listedRegistry } from './listed-registry.ts';
import { managedOnly, type RegistrationRow } from './stored.ts';

/** More rules than an issuer may use; every token is checked against all of them. */
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
  /** Revokes what was issued by a rule that is gone. */
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
      listedRegistry<TrustRule, Row>(
        {
          table: 'trust_rule',
          find: (id) =>
            orStoreUnavailable(() =>
              database.trustRule.findUnique({ where: { id, trustedIssuerId } }),
            ),
          page: ({ limit, after, managed }) =>
            orStoreUnavailable(() =>
              database.trustRule.findMany({
                where: { trustedIssuerId, id: { gt: after ?? '' }, ...managedOnly({ managed }) },
                orderBy: { id: 'asc' },
                take: limit,
              }),
            ),
          read: toRule,
          columns: ({ priority, trusted_issuer_id }) => ({ priority, trusted_issuer_id }),
          names: ({ client_id }) => (client_id === undefined ? [] : [client_id]),
          // It keeps its name: without it the rule would be for anybody at the next change.
          shown: (rule, current) => {
            const named = rule.client_id === undefined ? [] : [rule.client_id];
            const there = stillThere(named, rule.listed, current);
            return there.length < named.length ? { ...rule, listed: new Map() } : rule;
          },
          needs: {
            sql: 'exists (select 1 from trusted_issuer where id = $1)',
            of: ({ trusted_issuer_id }) => trusted_issuer_id,
          },
          removal: revocation,
        },
        identities,
        change,
      ),
  };
}
