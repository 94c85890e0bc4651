import { adminAudience, adminResourceServer, knownAdminScopes } from '../../domain/admin-access.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';

/** Whether the request is for this server's own admin API. */
export function isForAdminApi({ resources }: OAuthRequest): boolean {
  return resources.length === 1 && resources[0] === adminAudience;
}

/**
 * The admin API as a resource server, and what the client may do there. The client must name it in
 * `resources`, have `admin_scopes` and use its own credentials, because the right to create rules
 * of trusted issuers must not confer admin access. Throws `invalid_target`.
 */
export function adminTarget({ registration, byRule }: AuthenticatedClient): {
  readonly resourceServer: ResourceServer;
  /** Space-separated. */
  readonly scope: string;
} {
  const { resources, admin_scopes = [] } = registration;
  const scopes = knownAdminScopes(admin_scopes);
  if (byRule !== undefined || resources?.includes(adminAudience) !== true || scopes.length === 0)
    throw new OAuthError('resource_not_allowed');
  return { resourceServer: adminResourceServer, scope: scopes.join(' ') };
}
