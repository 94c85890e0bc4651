import type { AuthorizationServer } from './authorization-server.ts';
import type { AuthenticatedClient, GrantType } from './client-registration.ts';
import type { OAuthRequest } from './oauth-request.ts';
import type { ByRule } from './platform-token.ts';
import type { ResourceServer } from './resource-server.ts';
import type { SingleUse } from './single-use.ts';

/** What a request may have: whose token, for which resource server, with which scope. */
export interface Grant {
  readonly type: GrantType;
  /** `sub` of the token. */
  readonly subject: string;
  readonly resourceServer: ResourceServer;
  readonly scopes: readonly string[];
  /** True: the token is for a user, not for the client itself. */
  readonly ofUser?: boolean;
  /** True: it is for a workload that a platform's token names. */
  readonly ofWorkload?: boolean;
  /** Seconds since the epoch; the token must not outlive it. */
  readonly expiresAt?: number;
  /** Who acts for the subject (RFC 8693 §4.1). */
  readonly act?: ActClaim;
  /** Where the grant is bound to keys itself: by whom it must be presented. */
  readonly presentedBy?: PresentedBy;
  /** `jti` of the exchanged token; once that is inactive, so is the new one. */
  readonly source?: string;
  /** Of a delegation: `jti` of the actor token, of which the same holds. */
  readonly actorSource?: string;
  /** Of a delegation: the proof by the key of the subject token that the request needs. */
  readonly subjectProof?: SubjectProof;
  /**
   * Id of the trusted issuer, or of its rule, on whose word this is granted; once that is removed,
   * the token is inactive.
   */
  readonly authority?: string;
  /** That rule, where it was one. */
  readonly byRule?: ByRule;
  /** Consents of the pairings that allowed it; once one is revoked, the token is inactive. */
  readonly pairings?: readonly string[];
  /** What of the grant counts once; marked as used with the proofs, when the token is issued. */
  readonly use?: SingleUse;
  /** RFC 8693 §2.2.1. */
  readonly issuedTokenType?: string;
}

/** What a request may have at another authorization server: an identity assertion grant. */
export interface IdJagGrant extends Omit<Grant, 'resourceServer'> {
  readonly authorizationServer: AuthorizationServer;
  /** What the client is called there. */
  readonly remoteClientId: string;
  /** The `resource` of the request. */
  readonly resource?: string;
}

/** The current actor, and inside it those before (RFC 8693 §4.1). */
export interface ActClaim {
  readonly client_id: string;
  readonly sub: string;
  readonly act?: ActClaim;
}

/** A `subject_token_proof` that is still unchecked, and what it must fit (docs/delegation.md). */
export interface SubjectProof {
  readonly text: string;
  /** Thumbprints of the keys of the subject token; the proof is signed by one of these. */
  readonly keys: readonly string[];
  /** What its `ath` must be. */
  readonly ath: string;
  /** What its `resource` must name: the audience of the new token. */
  readonly audience: string;
}

/** Keys of a bound grant. */
export interface PresentedBy {
  /** The token that names the keys. */
  readonly token: 'subject_token' | 'actor_token' | 'id_jag';
  /** Thumbprints; a proof by any one of these keys will do. */
  readonly keys: readonly string[];
  /** What `ath` of a DPoP proof must be. */
  readonly ath?: string;
}

/** A grant type: reads its parameters, checks them, answers the grant. Throws OAuthError. */
export type GrantHandler = (request: OAuthRequest, client: AuthenticatedClient) => Promise<Grant>;

/** The step of the token endpoint. */
export type ValidateGrant = (
  request: OAuthRequest,
  client: AuthenticatedClient,
) => Promise<Grant | IdJagGrant>;
