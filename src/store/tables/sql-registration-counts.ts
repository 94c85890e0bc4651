import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** Maximum rows to count; counting more would read too much. */
const mostCounted = 100_000;

/** Counts the registrations of each kind, up to 100,000. Throws StoreUnavailable. */
export function sqlRegistrationCounts(
  database: Database,
): () => Promise<readonly (readonly [kind: string, count: number])[]> {
  const tables = {
    client: () => database.client.count({ take: mostCounted }),
    resource_server: () => database.resourceServer.count({ take: mostCounted }),
    pairing: () => database.pairing.count({ take: mostCounted }),
    authorization_server: () => database.authorizationServer.count({ take: mostCounted }),
    trust_rule: () => database.trustRule.count({ take: mostCounted }),
    trusted_issuer: () => database.trustedIssuer.count({ take: mostCounted }),
  };
  return async () =>
    orStoreUnavailable(async () =>
      Promise.all(
        Object.entries(tables).map(async ([kind, count]) => [kind, await count()] as const),
      ),
    );
}
