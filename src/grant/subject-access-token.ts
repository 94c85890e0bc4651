import type { AccessTokenClaims } from '../access-token/claims.ts';
import type { LiveHolders } from '../access-token/live-holders.ts';
import type { VerifyAccessToken } from '../access-token/verify-access-token.ts';
import type { TokenState } from '../audit.ts';
import type { ClientRegistration } from '../client-registration.ts';
import { thumbprints } from '../confirmation/thumbprints.ts';
import { OAuthError } from '../oauth-error.ts';
import { withinPairing } from '../pairing.ts';
import type { Ports } from '../ports.ts';
import type { Entitlement, ReadSubjectToken } from './subject-token.ts';

/** What the check needs. */
export interface SubjectAccessTokenOptions extends Pick<Ports, 'currentClients' | 'pairings' | 'issuedTokens' | 'clock'> {
  readonly verifyAccessToken: VerifyAccessToken;
  readonly liveHolders: LiveHolders;
}

/**
 * An access token of this server as subject token. An exchange never launders a bound token (protocol reference D6.3): the owner and a
 * further holder prove a key that the token names, and only an actor that the token names in `may_act` comes with a key of its own.
 */
export function subjectAccessToken(options: SubjectAccessTokenOptions): ReadSubjectToken {
  return async (token, client) => {
    const claims = options.verifyAccessToken(token);
    if (claims === undefined) throw refusedToken('subject_token_not_ours');
    if (claims.exp <= options.clock() / 1000) throw refusedToken('subject_token_expired');
    const state = await options.issuedTokens.state(claims.jti);
    if (state === undefined || state.revoked) throw refusedToken('subject_token_revoked');
    const owner = await options.currentClients.findClient(claims.client_id);
    if (owner === undefined || owner.disabled) throw refusedToken('subject_token_owner_gone');
    // The subject of a client's own token is a client; of an exchanged one still the client that `act` acted for.
    const ofUser = (await options.currentClients.findClient(claims.sub)) === undefined;
    return { subject: claims.sub, ofUser, expiresAt: claims.exp, entitlement: await entitlement(claims, state, owner, client, ofUser, options) };
  };
}

async function entitlement(
  claims: AccessTokenClaims,
  state: TokenState,
  owner: ClientRegistration,
  client: ClientRegistration,
  ofUser: boolean,
  { pairings, liveHolders }: SubjectAccessTokenOptions,
): Promise<Entitlement> {
  const { jkt: boundTo, pairings: before } = state;
  const rest = { scopes: claims.scope?.split(' ') ?? [], audience: claims.aud, pairings: before };
  if (client.client_id === claims.client_id) return { ...rest, keys: ownKeys(claims, boundTo), ...(claims.act !== undefined && { act: claims.act }) };

  const act = { client_id: client.client_id, sub: client.client_id, ...(claims.act !== undefined && { act: claims.act }) };
  const holderKeys = (await liveHolders(claims, state)).get(client.client_id);
  if (holderKeys !== undefined) {
    const paired = await pairings.findPairing(owner.client_id, client.client_id);
    return { ...rest, owner, act, keys: holderKeys, ...(paired !== undefined && { pairings: [...before, paired.id] }) };
  }

  const named = claims.may_act?.client_id;
  const mayAct = named === client.client_id || (Array.isArray(named) && named.includes(client.client_id));
  const pairing =
    mayAct && owner.alt_cnf_holders?.includes(client.client_id) === true ? await pairings.findPairing(owner.client_id, client.client_id) : undefined;
  if (pairing === undefined || pairing.id !== state.pairedAtIssuance.get(client.client_id) || (ofUser && !pairing.first_party)) {
    throw new OAuthError('invalid_grant', 'the subject token is bound to a key of another client, which does not let this one act for it', {
      reason: 'subject_token_not_for_actor',
    });
  }
  return { ...rest, owner, act, pairings: [...before, pairing.id], covers: (audience, scopes) => withinPairing(pairing, audience, scopes) };
}

/** `kid` and `jku` do not say which key it was; the record of the issuance does. */
function ownKeys({ cnf, client_id }: AccessTokenClaims, boundTo: string | undefined): readonly string[] {
  const named = thumbprints(cnf, client_id);
  return named.length > 0 || boundTo === undefined ? named : [boundTo];
}

// RFC 8693 §2.2.2: a subject token that is invalid for any reason is an invalid request.
function refusedToken(reason: string): OAuthError {
  return new OAuthError('invalid_request', 'the subject token is invalid, expired or revoked', { reason });
}
