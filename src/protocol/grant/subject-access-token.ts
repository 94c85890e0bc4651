import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { commonAudiences } from '../../domain/audience-limit.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import { defined } from '../../domain/defined.ts';
import type { ActClaim } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { isAgreed, isPairingOf, type Pairing } from '../../domain/pairing.ts';
import type { TokenState } from '../../ports/issued-tokens.ts';
import type { Ports } from '../../ports/ports.ts';
import type { ActiveHolders } from '../access-token/active-holders.ts';
import type { Actor } from './actor-token.ts';
import {
  type OwnAccessToken,
  type OwnAccessTokenOptions,
  ownAccessToken,
} from './own-access-token.ts';
import type { Entitlement, ReadSubjectToken } from './subject-token-types.ts';

export interface SubjectAccessTokenOptions
  extends OwnAccessTokenOptions,
    Pick<Ports, 'currentClients' | 'pairings'> {
  readonly activeHolders: ActiveHolders;
}

/** Maximum successive exchanges; each use of the last token checks every one before it. */
const maxExchanges = 32;

/** Maximum nested actors; the claims around them add one more level of JSON. */
const maxActors = 7;

/**
 * Accepts an access token of this server as subject token. The owner and additional holders prove a
 * key that the token names; only an actor in `may_act`, or one with the owner's proof, may use
 * another key (docs/protocol.md, docs/delegation.md).
 */
export function subjectAccessToken(options: SubjectAccessTokenOptions): ReadSubjectToken {
  return async (token, client, actor) => {
    const subjectToken = await ownAccessToken(token, 'subject_token', options);
    const { claims, state, kid } = subjectToken;
    if (state.exchanges >= maxExchanges) throw new OAuthError('subject_token_exchanged_too_often');
    const isClient = (await options.currentClients.findClient(claims.sub)) !== undefined;
    // Earlier versions did not record it and knew only this.
    const ofUser = state.ofUser ?? !isClient;
    // Such a client may have been registered since; nobody else may pass for it (RFC 9700 §4.15).
    if ((ofUser || state.ofWorkload) && isClient)
      throw new OAuthError('subject_token_sub_is_a_client');
    const { pairing, ...entitled } =
      actor !== undefined
        ? await asDelegate(subjectToken, actor, client, ofUser, options)
        : client.client_id === claims.client_id
          ? asOwner(subjectToken)
          : await asAnother(claims, state, client, ofUser, options);
    if (actorsOf(entitled.act) > maxActors) throw new OAuthError('delegation_too_deep');
    const pairings = await agreedBefore(state, options);
    if (pairing !== undefined) pairings.push(pairing);
    const owners = await ownersOf(pairings, options);
    const entitlement = {
      scopes: claims.scope?.split(' ') ?? [],
      audience: claims.aud,
      ...defined({ audiences: commonAudiences(state.audiences, actor?.audiences) }),
      pairings,
      owners,
      ...entitled,
    };
    const { ofWorkload } = state;
    const { sub: subject, jti, exp: expiresAt } = claims;
    return { subject, ofUser, ofWorkload, jti, kid, expiresAt, entitlement };
  };
}

/** The keys, the actor and the pairing with which a client may exchange the token. */
interface Entitled extends Pick<Entitlement, 'keys' | 'act' | 'proofKeys'> {
  readonly pairing?: Pairing;
}

function asOwner({ claims: { act }, keys }: OwnAccessToken): Entitled {
  return { keys, ...(act !== undefined && { act }) };
}

/** The operator has paired the two; the proof by the owner takes the place of `may_act`. */
async function asDelegate(
  { claims, state, keys }: OwnAccessToken,
  actor: Actor,
  client: ClientRegistration,
  ofUser: boolean,
  { pairings }: SubjectAccessTokenOptions,
): Promise<Entitled> {
  const { client_id } = client;
  if (state.client.registration_id === client.registration_id)
    throw new OAuthError('actor_is_subject');
  const pairing = await pairings.findPairing(claims.client_id, client_id);
  if (
    pairing === undefined ||
    !isPairingOf(pairing, state.client, client) ||
    (ofUser && !pairing.first_party)
  )
    throw new OAuthError('delegation_not_permitted');
  const before = claims.act === undefined ? {} : { act: claims.act };
  // A certificate cannot sign the proof; its key can, and the record holds that key's thumbprint.
  const proofKeys = state.jkt === undefined ? keys : [...keys, state.jkt];
  return { act: { client_id, sub: actor.subject, ...before }, pairing, proofKeys };
}

function actorsOf(act: ActClaim | undefined): number {
  return act === undefined ? 0 : 1 + actorsOf(act.act);
}

async function asAnother(
  claims: AccessTokenClaims,
  state: TokenState,
  client: ClientRegistration,
  ofUser: boolean,
  { pairings, activeHolders }: SubjectAccessTokenOptions,
): Promise<Entitled> {
  const { client_id } = client;
  const act = { client_id, sub: client_id, ...(claims.act !== undefined && { act: claims.act }) };
  const keys = (await activeHolders(claims, state)).get(client_id);
  const named = claims.may_act?.client_id;
  const mayAct = named === client_id || (Array.isArray(named) && named.includes(client_id));
  const pairing =
    keys !== undefined || mayAct
      ? await pairings.findPairing(claims.client_id, client_id)
      : undefined;
  const isOfIssuance =
    pairing !== undefined &&
    pairing.consent === state.pairedAtIssuance.get(client_id)?.pairing &&
    state.client !== undefined &&
    isAgreed(pairing, state.client, client);
  // Sharing a user's token needs a first-party pairing, and so does exchanging it as an actor.
  if (!isOfIssuance || (keys === undefined && ofUser && !pairing.first_party)) {
    throw new OAuthError('subject_token_not_for_actor');
  }
  return { act, pairing, ...(keys !== undefined && { keys }) };
}

/** The pairings by which the subject token itself was exchanged; a second exchange escapes none. */
async function agreedBefore(
  { pairings: consents }: TokenState,
  { pairings }: SubjectAccessTokenOptions,
): Promise<Pairing[]> {
  const agreed = (
    await Promise.all(consents.map(async (consent) => pairings.findByConsent(consent)))
  ).filter((pairing) => pairing !== undefined);
  if (agreed.length < consents.length) throw new OAuthError('subject_token_pairing_gone');
  return agreed;
}

async function ownersOf(
  pairings: readonly Pairing[],
  { currentClients }: SubjectAccessTokenOptions,
): Promise<readonly ClientRegistration[]> {
  const found = await Promise.all(
    pairings.map(async ({ requester }) => currentClients.findClient(requester)),
  );
  const owners = found.filter(
    (owner, index) =>
      owner !== undefined &&
      !owner.disabled &&
      owner.registration_id === pairings[index]?.requesterId,
  ) as ClientRegistration[];
  if (owners.length < pairings.length) throw new OAuthError('subject_token_owner_gone');
  return owners;
}
