import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { GrantHandler } from '../../domain/grant.ts';
import type { Ports } from '../../ports/ports.ts';
import { grantedScopes } from './scope.ts';
import { targetResourceServer } from './target.ts';

/** RFC 6749 §4.4: the client acts for itself; `sub` is its `client_id` (RFC 9068 §2.2). */
export function clientCredentials(ports: Pick<Ports, 'resourceServers'>): GrantHandler {
  const target = targetResourceServer(ports);
  return async (request, client: AuthenticatedClient) => {
    const resourceServer = await target(request, client.registration);
    const scopes = grantedScopes(
      request.parameters.get('scope'),
      client.registration,
      resourceServer,
    );
    return {
      type: 'client_credentials',
      subject: client.registration.client_id,
      resourceServer,
      scopes,
    };
  };
}
