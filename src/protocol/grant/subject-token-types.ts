import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { ActClaim } from '../../domain/grant.ts';
import type { Pairing } from '../../domain/pairing.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import type { Actor } from './actor-token.ts';

/** The content of a verified subject token (RFC 8693 §2.1). */
export interface SubjectToken {
  readonly subject: string;
  /** True: the subject is a user, not a client. */
  readonly ofUser: boolean;
  /** True: the subject is a workload, named by a platform's token. */
  readonly ofWorkload?: boolean;
  /** `jti` of an access token, and `kid` of the key that signed it. */
  readonly jti?: string;
  readonly kid?: string;
  /** Seconds since the epoch; nothing obtained with the token outlives it. */
  readonly expiresAt: number;
  /** Id of the trusted issuer of the token. */
  readonly authority?: string;
  /** Present: the token may be exchanged once. */
  readonly use?: SingleUse;
  /** What the requesting client may obtain, and which key it must prove. */
  readonly entitlement: Entitlement;
}

/** Why the requesting client may exchange the token (docs/protocol.md). */
export interface Entitlement {
  /** Thumbprints (RFC 7638, or of a certificate), one of which must be proven. Absent: any key. */
  readonly keys?: readonly string[];
  /** For a delegation, thumbprints of the keys of the subject token. */
  readonly proofKeys?: readonly string[];
  /** Scope that the token had; absent: what the client is registered for. */
  readonly scopes?: readonly string[];
  /** Audience of the token; absent if none matters here. */
  readonly audience?: string;
  /** The only audiences of all tokens derived from this one; absent: no limit. */
  readonly audiences?: readonly string[];
  /** The delegation that the new token records (RFC 8693 §4.1). */
  readonly act?: ActClaim;
  /** The pairings that allow this, including those of the subject token; each is a limit. */
  readonly pairings?: readonly Pairing[];
  /** Earlier owners of the token, across all exchanges. */
  readonly owners?: readonly ClientRegistration[];
}

/** Verifies one type of subject token for this client, or actor. Throws OAuthError. */
export type ReadSubjectToken = (
  token: string,
  client: ClientRegistration,
  actor?: Actor,
) => Promise<SubjectToken>;
