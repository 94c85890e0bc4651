import type { AuthenticatedClient, GrantType } from '../client-registration.ts';
import type { ResourceServer } from '../resource-server.ts';
import type { TokenRequest } from '../token-request.ts';

/** What a request is entitled to: whose token, for which resource server, with which scope. Nothing is consumed yet. */
export interface Grant {
  readonly type: GrantType;
  /** `sub` of the token. */
  readonly subject: string;
  readonly resourceServer: ResourceServer;
  readonly scopes: readonly string[];
  /** True: the token is for a user, not for the client itself. */
  readonly ofUser?: boolean;
}

/** A grant type: reads its parameters, checks them, answers the grant. Throws OAuthError. */
export type GrantHandler = (request: TokenRequest, client: AuthenticatedClient) => Promise<Grant>;

/** The step of the token endpoint. */
export type ValidateGrant = GrantHandler;
