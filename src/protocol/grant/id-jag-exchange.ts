import { commonAudiences } from '../../domain/audience-limit.ts';
import type { AuthorizationServer } from '../../domain/authorization-server.ts';
import { type AuthenticatedClient, names } from '../../domain/client-registration.ts';
import { defined } from '../../domain/defined.ts';
import type { IdJagGrant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { ByRule } from '../../domain/platform-token.ts';
import type { Ports } from '../../ports/ports.ts';
import { readScopes } from './scope.ts';
import type { ReadSubjectToken } from './subject-token-types.ts';
import { isResourceIdentifier } from './target.ts';
import { tokenTypes } from './token-type.ts';

export interface IdJagExchangeOptions extends Pick<Ports, 'authorizationServers'> {
  readonly idToken: ReadSubjectToken;
}

/** Parameters of a token exchange that have no meaning for an identity assertion grant. */
const others = ['actor_token', 'actor_token_type', 'subject_token_proof'] as const;

/**
 * Exchanges an ID token for an identity assertion grant
 * (draft-ietf-oauth-identity-assertion-authz-grant §4.3) to a registered authorization server, for
 * the client's name there, within what the operator registered. The ID token is used up, as by any
 * exchange.
 */
export function idJagExchange({ idToken, authorizationServers }: IdJagExchangeOptions) {
  return async (
    { parameters, resources: [resource] }: OAuthRequest,
    { registration: client, byRule }: AuthenticatedClient,
  ): Promise<IdJagGrant> => {
    const token = parameters.get('subject_token');
    const type = parameters.get('subject_token_type');
    if (token === undefined || type === undefined) throw new OAuthError('subject_token_missing');
    if (type !== tokenTypes.idToken) throw new OAuthError('id_jag_exchange_subject_type');
    if (others.some((name) => parameters.has(name))) throw new OAuthError('actor_token_type');
    if (parameters.has('req_alt_cnf')) throw new OAuthError('alt_cnf_not_supported_by_audience');
    const audience = parameters.get('audience');
    const registered =
      audience === undefined
        ? undefined
        : await authorizationServers.findAuthorizationServer(audience);
    const server = registered && withinRule(registered, byRule);
    const there = server?.clients.find(({ client_id }) => client_id === client.client_id);
    if (
      server === undefined ||
      there === undefined ||
      !names([there.client_id], server.listed, client)
    )
      throw new OAuthError('id_jag_audience_not_allowed');
    if (resource !== undefined) checkResource(resource, server);
    const { subject, ofUser, expiresAt, authority, use, entitlement } = await idToken(
      token,
      client,
    );
    return {
      type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject,
      ofUser,
      expiresAt,
      authorizationServer: server,
      remoteClientId: there.remote_client_id,
      scopes: scopesAt(server, parameters.get('scope')),
      issuedTokenType: tokenTypes.idJag,
      ...defined({ resource: resource ?? onlyOrAll(server) }),
      ...(authority !== undefined && { authority }),
      ...(use !== undefined && { use }),
      ...(entitlement.keys !== undefined && {
        presentedBy: { token: 'subject_token', keys: entitlement.keys },
      }),
    };
  };
}

/**
 * The registration within the limits of the rule that authenticated the client; undefined if those
 * leave nothing, because a grant without scope or resource has no such limit.
 */
function withinRule(
  server: AuthorizationServer,
  byRule: ByRule | undefined,
): AuthorizationServer | undefined {
  if (byRule === undefined) return server;
  const most = byRule.scope?.split(' ');
  const registered = server.scope?.split(' ') ?? [];
  const scopes = registered.filter((scope) => most?.includes(scope) ?? true);
  const resources = commonAudiences(server.resources, byRule.audiences);
  if ((most !== undefined && scopes.length === 0) || resources?.length === 0) return undefined;
  return { ...server, ...defined({ scope: most && scopes.join(' '), resources }) };
}

/** If the operator has named resources, a grant must name some, because absent would mean any. */
function onlyOrAll({ resources }: AuthorizationServer): IdJagGrant['resource'] {
  return resources?.length === 1 ? resources[0] : resources;
}

function checkResource(resource: string, { resources }: AuthorizationServer): void {
  if (!isResourceIdentifier(resource)) throw new OAuthError('resource_malformed');
  if (resources?.includes(resource) === false) throw new OAuthError('resource_not_allowed');
}

/** The requested scopes, if all of them are registered; without a request, all registered ones. */
function scopesAt(
  { scope }: AuthorizationServer,
  requested: string | undefined,
): readonly string[] {
  const allowed = scope?.split(' ') ?? [];
  if (requested === undefined) return allowed;
  const scopes = readScopes(requested);
  if (!scopes.every((one) => allowed.includes(one))) throw new OAuthError('scope_not_allowed');
  return scopes;
}
