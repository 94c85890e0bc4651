import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import { defined } from '../../domain/defined.ts';
import type { Grant, IdJagGrant, ValidateGrant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import { withinPairing } from '../../domain/pairing.ts';
import { ath } from '../../jose/access-token-hash.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Actor, ReadActor } from './actor-token.ts';
import { grantedScopes } from './scope.ts';
import type { Entitlement, ReadSubjectToken } from './subject-token-types.ts';
import { targetResourceServer } from './target.ts';
import { tokenTypes } from './token-type.ts';

export interface TokenExchangeOptions extends Pick<Ports, 'resourceServers'> {
  readonly accessToken: ReadSubjectToken;
  readonly idToken: ReadSubjectToken;
  readonly actor: ReadActor;
  /** Handles a request for an identity assertion grant. */
  readonly idJag: (request: OAuthRequest, client: AuthenticatedClient) => Promise<IdJagGrant>;
}

/**
 * Token exchange (RFC 8693 §2): the new token never has more scope, a longer life or a weaker
 * binding than the subject token.
 */
export function tokenExchange(options: TokenExchangeOptions): ValidateGrant {
  const target = targetResourceServer(options);
  return async (request, authenticated): Promise<Grant | IdJagGrant> => {
    if (request.parameters.get('requested_token_type') === tokenTypes.idJag)
      return options.idJag(request, authenticated);
    const { registration: client } = authenticated;
    const { token, read } = subjectTokenOf(request, options);
    const actor = await options.actor(request, client);
    const { jti, kid, authority, use, entitlement, ...whom } = await read(token, client, actor);
    const { scopes: had, audience, audiences, act, owners = [], pairings = [] } = entitlement;
    const resourceServer = await target(withTarget(request, audience), client);
    // Nobody may obtain in an owner's name what the owner may not request.
    if (owners.some(({ resources }) => resources?.includes(resourceServer.audience) === false))
      throw new OAuthError('exchange_target_not_covered');
    if (audiences?.includes(resourceServer.audience) === false)
      throw new OAuthError('exchange_target_beyond_limit');
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
      ...(kid !== undefined && { sourceKids: actor === undefined ? [kid] : [kid, actor.kid] }),
      ...(authority !== undefined && { authority }),
      ...(use !== undefined && { use }),
      issuedTokenType: tokenTypes.accessToken,
      ...defined({ act, audiences }),
      ...(pairings.length > 0 && { pairings: pairings.map(({ consent }) => consent) }),
      ...provenBy(
        entitlement,
        read === options.accessToken ? ath(token) : undefined,
        actor,
        resourceServer.audience,
      ),
      ...(actor !== undefined && { expiresAt: Math.min(whom.expiresAt, actor.expiresAt) }),
    };
  };
}

/** Which keys the request must prove, and how; `tokenHash` is that of the subject token. */
function provenBy(
  { keys, proofKeys }: Entitlement,
  tokenHash: string | undefined,
  actor: Actor | undefined,
  audience: string,
): Pick<Grant, 'presentedBy' | 'subjectProof' | 'actorSource'> {
  if (actor !== undefined) {
    if (proofKeys === undefined || tokenHash === undefined)
      throw new OAuthError('actor_token_type');
    const { jti: actorSource, presentedBy, proof: text } = actor;
    return {
      actorSource,
      presentedBy,
      subjectProof: { text, keys: proofKeys, ath: tokenHash, audience },
    };
  }
  if (keys === undefined) return {};
  return {
    presentedBy: {
      token: 'subject_token',
      keys,
      ...(tokenHash !== undefined && { ath: tokenHash }),
    },
  };
}

function subjectTokenOf(
  { parameters }: OAuthRequest,
  { accessToken, idToken }: TokenExchangeOptions,
) {
  const token = parameters.get('subject_token');
  const type = parameters.get('subject_token_type');
  if (token === undefined || type === undefined) throw new OAuthError('subject_token_missing');
  const requested = parameters.get('requested_token_type');
  if (requested !== undefined && requested !== tokenTypes.accessToken)
    throw new OAuthError('requested_token_type');
  if (type === tokenTypes.accessToken) return { token, read: accessToken };
  if (type === tokenTypes.idToken) return { token, read: idToken };
  throw new OAuthError('subject_token_type');
}

/** The request with its target: `audience` (RFC 8693 §2.1), or that of the subject token. */
function withTarget(request: OAuthRequest, ofSubjectToken: string | undefined): OAuthRequest {
  const named = request.parameters.get('audience');
  const resources = [...new Set([...request.resources, ...(named === undefined ? [] : [named])])];
  if (resources.length === 0 && ofSubjectToken !== undefined) resources.push(ofSubjectToken);
  return { ...request, resources };
}

function narrowedScopes(
  request: OAuthRequest,
  granted: readonly string[],
  had: readonly string[] | undefined,
): readonly string[] {
  if (had === undefined) return granted;
  const kept = granted.filter((scope) => had.includes(scope));
  if (request.parameters.has('scope') && kept.length < granted.length)
    throw new OAuthError('scope_widened');
  return kept;
}
