import Type from 'typebox';
import type { ClientRegistration } from '../domain/client-registration.ts';
import type { ResourceServer } from '../domain/resource-server.ts';
import type { ClientRegistry, IntactPage } from '../ports/registry.ts';
import { methodsFor } from './possible-tokens.ts';

/** Maximum clients that one answer names, that one page reads, and that one answer examines. */
const [maxNamed, pageSize, maxLookedAt] = [100, 500, 10_000];

/** Members of the answer to a change of a resource server. */
export const clientsWithoutTokenAnswer = {
  clients_without_token: Type.Object(
    {
      client_ids: Type.Array(Type.String(), { maxItems: maxNamed }),
      more: Type.Boolean({
        description: 'There are more clients than could be examined or named.',
      }),
    },
    {
      additionalProperties: false,
      description:
        'Enabled clients with this audience in `resources` that get no token for it, ' +
        'because no confirmation method can name a key that they can prove. A client ' +
        'with certificate-bound tokens needs `x5t#S256` here, unless it names its key by ' +
        '`req_cnf`.',
    },
  ),
};

/**
 * Finds the clients that cannot get a token for a resource server. It only informs: clients that
 * still use a confirmation method must not delay its withdrawal
 * (docs/decisions/0003-confirmation.md).
 */
export async function clientsWithoutToken(
  resourceServer: ResourceServer,
  clients: Pick<ClientRegistry, 'listIntact'>,
  issuer: string,
) {
  const client_ids: string[] = [];
  let after: string | undefined = '';
  for (let lookedAt = 0; lookedAt < maxLookedAt; lookedAt += pageSize) {
    const page: IntactPage<ClientRegistration> = await clients.listIntact({
      limit: pageSize,
      after,
    });
    for (const client of page.values) {
      if (client.disabled || client.resources?.includes(resourceServer.audience) !== true) continue;
      if (methodsFor(client, resourceServer, issuer).length > 0) continue;
      if (client_ids.length === maxNamed)
        return { clients_without_token: { client_ids, more: true } };
      client_ids.push(client.client_id);
    }
    after = page.next;
    if (after === undefined) return { clients_without_token: { client_ids, more: false } };
  }
  return { clients_without_token: { client_ids, more: true } };
}
