import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { PresentedBy } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import { ath } from '../../jose/access-token-hash.ts';
import { type OwnAccessTokenOptions, ownAccessToken } from './own-access-token.ts';
import { tokenTypes } from './token-type.ts';

/** The client that acts for the client of a subject token, by its own token (RFC 8693 §2.1). */
export interface Actor {
  /** `sub` of its token. */
  readonly subject: string;
  readonly jti: string;
  /** Of the key that signed its token. */
  readonly kid: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** The same as in a TokenState. */
  readonly audiences: readonly string[] | undefined;
  readonly presentedBy: PresentedBy;
  /** The `subject_token_proof` of the request. */
  readonly proof: string;
}

/** The actor of a delegation; undefined if the request is none. Throws an OAuthError. */
export type ReadActor = (
  request: OAuthRequest,
  client: ClientRegistration,
) => Promise<Actor | undefined>;

/**
 * Accepts an access token that the authenticated client obtained for itself. A token from an
 * exchange is not accepted, so that each token has one chain of sources, each with one actor.
 */
export function actorToken(options: OwnAccessTokenOptions): ReadActor {
  return async ({ parameters }, client) => {
    const [token, type, proof] = ['actor_token', 'actor_token_type', 'subject_token_proof'].map(
      (name) => parameters.get(name),
    );
    if (token === undefined && type === undefined && proof === undefined) return undefined;
    if (token === undefined || type === undefined || proof === undefined)
      throw new OAuthError('actor_token_incomplete');
    if (
      type !== tokenTypes.accessToken ||
      parameters.get('subject_token_type') !== tokenTypes.accessToken
    )
      throw new OAuthError('actor_token_type');
    const { claims, state, keys, kid } = await ownAccessToken(token, 'actor_token', options);
    if (state.client.registration_id !== client.registration_id)
      throw new OAuthError('actor_token_of_another_client');
    if (state.source !== undefined) throw new OAuthError('actor_token_exchanged');
    const { sub: subject, jti, exp: expiresAt } = claims;
    return {
      subject,
      jti,
      kid,
      expiresAt,
      audiences: state.audiences,
      proof,
      presentedBy: { token: 'actor_token', keys, ath: ath(token) },
    };
  };
}
