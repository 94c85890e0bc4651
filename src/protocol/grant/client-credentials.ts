import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { GrantHandler } from '../../domain/grant.ts';
import type { Ports } from '../../ports/ports.ts';
import { adminTarget, isForAdminApi } from './admin-target.ts';
import { grantedScopes } from './scope.ts';
import { targetResourceServer } from './target.ts';

/** RFC 6749 §4.4: the client acts for itself; `sub` is its `client_id` (RFC 9068 §2.2). */
export function clientCredentials(ports: Pick<Ports, 'resourceServers'>): GrantHandler {
  const target = targetResourceServer(ports);
  return async (request, client: AuthenticatedClient) => {
    const { registration } = client;
    const { resourceServer, scope } = isForAdminApi(request)
      ? adminTarget(client)
      : { resourceServer: await target(request, registration), scope: registration.scope };
    const scopes = grantedScopes(request.parameters.get('scope'), { scope }, resourceServer);
    return {
      type: 'client_credentials',
      subject: registration.client_id,
      resourceServer,
      scopes,
    };
  };
}
