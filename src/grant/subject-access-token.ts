import type { AccessTokenClaims } from '../access-token/claims.ts';
import type { LiveHolders } from '../access-token/live-holders.ts';
import type { TokenInForce } from '../access-token/token-in-force.ts';
import type { VerifyAccessToken } from '../access-token/verify-access-token.ts';
import type { TokenState } from '../audit.ts';
import type { ClientRegistration } from '../client-registration.ts';
import { thumbprints } from '../confirmation/thumbprints.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Pairing } from '../pairing.ts';
import type { Ports } from '../ports.ts';
import type { Entitlement, ReadSubjectToken } from './subject-token.ts';

/** What the check needs. */
export interface SubjectAccessTokenOptions
  extends Pick<Ports, 'currentClients' | 'pairings' | 'clock'> {
  readonly verifyAccessToken: VerifyAccessToken;
  readonly tokenInForce: TokenInForce;
  readonly liveHolders: LiveHolders;
}

/**
 * An access token of this server as subject token. An exchange never launders a bound token (protocol reference D6.3): the owner and a
 * further holder prove a key that the token names, and only an actor that the token names in `may_act` comes with a key of its own.
 */
export function subjectAccessToken(options: SubjectAccessTokenOptions): ReadSubjectToken {
  return async (token, client) => {
    const claims = await options.verifyAccessToken(token);
    if (claims === undefined) throw refusedToken('subject_token_not_ours');
    if (claims.exp <= options.clock() / 1000) throw refusedToken('subject_token_expired');
    const state = await options.tokenInForce(token, claims);
    if (state === undefined) throw refusedToken('subject_token_not_in_force');
    // The subject of a client's own token is a client; of an exchanged one still the client that `act` acted for.
    const ofUser = (await options.currentClients.findClient(claims.sub)) === undefined;
    const { pairing, ...entitled } =
      client.client_id === claims.client_id
        ? asOwner(claims, state)
        : await asAnother(claims, state, client, ofUser, options);
    const pairings = await agreedBefore(state, options);
    if (pairing !== undefined) pairings.push(pairing);
    const owners = await ownersOf(pairings, options);
    const entitlement = {
      scopes: claims.scope?.split(' ') ?? [],
      audience: claims.aud,
      pairings,
      owners,
      ...entitled,
    };
    return { subject: claims.sub, ofUser, expiresAt: claims.exp, entitlement };
  };
}

/** By which keys, as whom, and under which pairing with the client of the token. */
interface Entitled extends Pick<Entitlement, 'keys' | 'act'> {
  readonly pairing?: Pairing;
}

function asOwner(claims: AccessTokenClaims, { jkt }: TokenState): Entitled {
  return { keys: ownKeys(claims, jkt), ...(claims.act !== undefined && { act: claims.act }) };
}

async function asAnother(
  claims: AccessTokenClaims,
  state: TokenState,
  { client_id }: ClientRegistration,
  ofUser: boolean,
  { pairings, liveHolders }: SubjectAccessTokenOptions,
): Promise<Entitled> {
  const act = { client_id, sub: client_id, ...(claims.act !== undefined && { act: claims.act }) };
  const keys = (await liveHolders(claims, state)).get(client_id);
  const named = claims.may_act?.client_id;
  const mayAct =
    (named === client_id || (Array.isArray(named) && named.includes(client_id))) &&
    lists(state.client, client_id);
  const pairing =
    keys !== undefined || mayAct
      ? await pairings.findPairing(claims.client_id, client_id)
      : undefined;
  const isOfIssuance =
    pairing !== undefined && pairing.id === state.pairedAtIssuance.get(client_id)?.pairing;
  // A user's token got its further holders under a first-party pairing; whom it names as actors does not depend on that.
  if (!isOfIssuance || (keys === undefined && ofUser && !pairing.first_party)) {
    throw new OAuthError(
      'invalid_grant',
      'the subject token is bound to a key of another client, which does not let this one act for it',
      {
        reason: 'subject_token_not_for_actor',
      },
    );
  }
  return { act, pairing, ...(keys !== undefined && { keys }) };
}

function lists(owner: ClientRegistration | undefined, actor: string): boolean {
  return owner?.alt_cnf_holders?.includes(actor) === true;
}

/** The pairings by which the subject token was exchanged itself: a second exchange leads out of none of them. */
async function agreedBefore(
  { pairings: ids }: TokenState,
  { pairings }: SubjectAccessTokenOptions,
): Promise<Pairing[]> {
  const agreed = (await Promise.all(ids.map(async (id) => pairings.get(id)))).filter(
    (pairing) => pairing !== undefined,
  );
  if (agreed.length < ids.length) throw refusedToken('subject_token_pairing_gone');
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
    (owner) => owner !== undefined && !owner.disabled,
  ) as ClientRegistration[];
  if (owners.length < pairings.length) throw refusedToken('subject_token_owner_gone');
  return owners;
}

/** `kid` and `jku` do not say which key it was; the record of the issuance does. */
function ownKeys(
  { cnf, client_id }: AccessTokenClaims,
  boundTo: string | undefined,
): readonly string[] {
  const named = thumbprints(cnf, client_id);
  return named.length > 0 || boundTo === undefined ? named : [boundTo];
}

// RFC 8693 §2.2.2: a subject token that is invalid for any reason is an invalid request.
function refusedToken(reason: string): OAuthError {
  return new OAuthError('invalid_request', 'the subject token is invalid, expired or revoked', {
    reason,
  });
}
