import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ActingAdmin } from '../../domain/acting-admin.ts';
import { adminAudience, adminResourceServer, knownAdminScopes } from '../../domain/admin-access.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Ports } from '../../ports/ports.ts';
import type { activeToken } from '../introspection/active-token.ts';

/** Maximum lifetime in milliseconds of an admin token created by a client: ninety days. */
const maxTokenLifetime = 90 * 86_400_000;

export interface CurrentAdminSteps extends Pick<Ports, 'currentClients'> {
  readonly activeToken: ReturnType<typeof activeToken>;
}

/**
 * The admin that a token stands for now, whoever sent it, and the claims of the token. Throws
 * `token_inactive`, StoreUnavailable.
 */
export type CurrentAdmin = (
  token: string,
) => Promise<{ readonly claims: AccessTokenClaims; readonly admin: ActingAdmin }>;

/**
 * Judges a token for the admin API and its client. A scope counts only while the client still has
 * it, so removing it from the client also removes it from the client's tokens.
 */
export function currentAdmin({ activeToken, currentClients }: CurrentAdminSteps): CurrentAdmin {
  return async (token) => {
    const claims = await activeToken(token, adminResourceServer);
    if (claims === undefined) throw new OAuthError('token_inactive');
    const client = await currentClients.findClient(claims.client_id);
    if (
      client === undefined ||
      client.disabled ||
      client.resources?.includes(adminAudience) !== true
    )
      throw new OAuthError('token_inactive');
    const has = knownAdminScopes(client.admin_scopes ?? []);
    const granted = new Set(claims.scope?.split(' '));
    const admin = {
      name: `client:${client.client_id}`,
      id: client.registration_id,
      maxTokenLifetime,
      scopes: has.filter((scope) => granted.has(scope)),
    };
    return { claims, admin };
  };
}
