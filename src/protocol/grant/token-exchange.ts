import { createHash } from 'node:crypto';
import type { GrantHandler } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { TokenRequest } from '../../domain/oauth-request.ts';
import { withinPairing } from '../../domain/pairing.ts';
import type { Ports } from '../../ports/ports.ts';
import { grantedScopes } from './scope.ts';
import type { ReadSubjectToken } from './subject-token.ts';
import { targetResourceServer } from './target.ts';
import { tokenTypes } from './token-type.ts';

export interface TokenExchangeOptions extends Pick<Ports, 'resourceServers'> {
  readonly accessToken: ReadSubjectToken;
  readonly idToken: ReadSubjectToken;
}

/**
 * Token exchange (RFC 8693 §2): the new token never has more scope, a longer life or a weaker
 * binding than the subject token.
 */
export function tokenExchange(options: TokenExchangeOptions): GrantHandler {
  const target = targetResourceServer(options);
  return async (request, { registration: client }) => {
    const { token, read } = subjectTokenOf(request, options);
    const { jti, authority, use, entitlement, ...whom } = await read(token, client);
    const { keys, scopes: had, audience, act, owners = [], pairings = [] } = entitlement;
    const resourceServer = await target(withTarget(request, audience), client);
    // What an owner may not ask for, nobody may have in its name.
    if (owners.some(({ resources }) => resources?.includes(resourceServer.audience) === false))
      throw new OAuthError('exchange_target_not_covered');
    const scopes = narrowedScopes(
      request,
      grantedScopes(request.parameters.get('scope'), client, resourceServer),
      had,
    );
    if (!pairings.every((pairing) => withinPairing(pairing, resourceServer.audience, scopes)))
      throw new OAuthError('exchange_scope_not_covered');
    return {
      type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      ...whom,
      resourceServer,
      scopes,
      ...(jti !== undefined && { source: jti }),
      ...(authority !== undefined && { authority }),
      ...(use !== undefined && { use }),
      issuedTokenType: tokenTypes.accessToken,
      ...(act !== undefined && { act }),
      ...(pairings.length > 0 && { pairings: pairings.map(({ consent }) => consent) }),
      ...(keys !== undefined && {
        presentedBy: {
          keys,
          ...(read === options.accessToken && {
            ath: createHash('sha256').update(token).digest('base64url'),
          }),
        },
      }),
    };
  };
}

function subjectTokenOf(
  { parameters }: TokenRequest,
  { accessToken, idToken }: TokenExchangeOptions,
) {
  const token = parameters.get('subject_token');
  const type = parameters.get('subject_token_type');
  if (token === undefined || type === undefined) throw new OAuthError('subject_token_missing');
  if (parameters.has('actor_token') || parameters.has('actor_token_type'))
    throw new OAuthError('actor_token_sent');
  const requested = parameters.get('requested_token_type');
  if (requested !== undefined && requested !== tokenTypes.accessToken)
    throw new OAuthError('requested_token_type');
  if (type === tokenTypes.accessToken) return { token, read: accessToken };
  if (type === tokenTypes.idToken) return { token, read: idToken };
  throw new OAuthError('subject_token_type');
}

/**
 * The request with its target in `resource`: `audience` (RFC 8693 §2.1), or that of the subject
 * token.
 */
function withTarget(request: TokenRequest, ofSubjectToken: string | undefined): TokenRequest {
  const named = request.parameters.get('audience');
  const resources = [...new Set([...request.resources, ...(named === undefined ? [] : [named])])];
  if (resources.length === 0 && ofSubjectToken !== undefined) resources.push(ofSubjectToken);
  return { ...request, resources };
}

function narrowedScopes(
  request: TokenRequest,
  granted: readonly string[],
  had: readonly string[] | undefined,
): readonly string[] {
  if (had === undefined) return granted;
  const kept = granted.filter((scope) => had.includes(scope));
  if (request.parameters.has('scope') && kept.length < granted.length)
    throw new OAuthError('scope_widened');
  return kept;
}
