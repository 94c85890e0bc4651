import type { AuthorizationServer } from './authorization-server.ts';
import type { AuthenticatedClient, GrantType } from './client-registration.ts';
import type { OAuthRequest } from './oauth-request.ts';
import type { ByRule } from './platform-token.ts';
import type { ResourceServer } from './resource-server.ts';
import type { SingleUse } from './single-use.ts';

/** What a request may have: the subject, resource server and scope of the token. */
export interface Grant {
  readonly type: GrantType;
  /** `sub` of the token. */
  readonly subject: string;
  readonly resourceServer: ResourceServer;
  readonly scopes: readonly string[];
  /** The only audiences of all tokens exchanged for this one; absent: no limit. */
  readonly audiences?: readonly string[];
  /** True: the token is for a user, not for the client itself. */
  readonly ofUser?: boolean;
  /** True: the token is for a workload, named by a platform's token. */
  readonly ofWorkload?: boolean;
  /** Seconds since the epoch; the token must not outlive it. */
  readonly expiresAt?: number;
  /** The actor for the subject (RFC 8693 §4.1). */
  readonly act?: ActClaim;
  /** The holder that must present the grant, if the grant itself is bound to keys. */
  readonly presentedBy?: PresentedBy;
  /** `jti` of the exchanged token; once that is inactive, so is the new one. */
  readonly source?: string;
  /** For a delegation: `jti` of the actor token, to which the same applies. */
  readonly actorSource?: string;
  /** `kid` of the keys that signed these tokens; once one is revoked, the new token is inactive. */
  readonly sourceKids?: readonly string[];
  /** For a delegation: the proof by the subject token's key that the request needs. */
  readonly subjectProof?: SubjectProof;
  /**
   * Id of the trusted issuer, or of its rule, that vouches for this; after its removal, the token
   * is inactive.
   */
  readonly authority?: string;
  /** That rule, if it was one. */
  readonly byRule?: ByRule;
  /** Consents of the pairings that allowed it; if one is revoked, the token is inactive. */
  readonly pairings?: readonly string[];
  /** The part that counts once, marked as used with the proofs when the token is issued. */
  readonly use?: SingleUse;
  /** RFC 8693 §2.2.1. */
  readonly issuedTokenType?: string;
}

/** What a request may have at another authorization server: an identity assertion grant. */
export interface IdJagGrant extends Omit<Grant, 'resourceServer'> {
  readonly authorizationServer: AuthorizationServer;
  /** The name of the client there. */
  readonly remoteClientId: string;
  /** `resource` of the request, or all that the operator registered; absent: any. */
  readonly resource?: string | readonly string[];
}

/** The current actor, with the earlier ones nested inside (RFC 8693 §4.1). */
export interface ActClaim {
  readonly client_id: string;
  readonly sub: string;
  readonly act?: ActClaim;
}

/** An unchecked `subject_token_proof`, and what it must match (docs/delegation.md). */
export interface SubjectProof {
  readonly text: string;
  /** Thumbprints of the keys of the subject token, one of which must sign the proof. */
  readonly keys: readonly string[];
  /** The required `ath` of the proof. */
  readonly ath: string;
  /** The required `resource` of the proof: the audience of the new token. */
  readonly audience: string;
}

/** Keys of a bound grant. */
export interface PresentedBy {
  /** The token that names the keys. */
  readonly token: 'subject_token' | 'actor_token' | 'id_jag';
  /** Thumbprints; a proof by any one of these keys suffices. */
  readonly keys: readonly string[];
  /** The required `ath` of a DPoP proof. */
  readonly ath?: string;
}

/** A grant type: reads and checks its parameters and returns the grant. Throws OAuthError. */
export type GrantHandler = (request: OAuthRequest, client: AuthenticatedClient) => Promise<Grant>;

/** The step of the token endpoint. */
export type ValidateGrant = (
  request: OAuthRequest,
  client: AuthenticatedClient,
) => Promise<Grant | IdJagGrant>;
