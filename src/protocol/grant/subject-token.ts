import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { ActClaim } from '../../domain/grant.ts';
import type { Pairing } from '../../domain/pairing.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import type { Actor } from './actor-token.ts';

/** What a subject token says, once it has been verified (RFC 8693 §2.1). */
export interface SubjectToken {
  readonly subject: string;
  /** True: the subject is a user, not a client. */
  readonly ofUser: boolean;
  /** True: it is a workload that a platform's token named. */
  readonly ofWorkload?: boolean;
  /** Of an access token its `jti`. */
  readonly jti?: string;
  /** Seconds since the epoch; nothing that comes of the token outlives it. */
  readonly expiresAt: number;
  /** Of a token of a trusted issuer: the id of that issuer. */
  readonly authority?: string;
  /** Present: the token may be exchanged once. */
  readonly use?: SingleUse;
  /** What of it the requesting client may have, and by which key it must present itself. */
  readonly entitlement: Entitlement;
}

/** Why the requesting client may exchange the token (docs/protocol.md). */
export interface Entitlement {
  /** Thumbprints (RFC 7638, or of a certificate), one of which must be proven. Absent: any key. */
  readonly keys?: readonly string[];
  /** Of a delegation: thumbprints of the keys of the subject token. */
  readonly proofKeys?: readonly string[];
  /** Scope that the token had; absent: what the client is registered for. */
  readonly scopes?: readonly string[];
  /** Audience of the token; absent: none that matters here. */
  readonly audience?: string;
  /** The delegation that the new token records (RFC 8693 §4.1). */
  readonly act?: ActClaim;
  /** The pairings that allow this, also those of the subject token; each is a limit. */
  readonly pairings?: readonly Pairing[];
  /** Whose token it was before it came to this client, by however many exchanges. */
  readonly owners?: readonly ClientRegistration[];
}

/** Verifies one type of subject token for this client, or actor. Throws OAuthError. */
export type ReadSubjectToken = (
  token: string,
  client: ClientRegistration,
  actor?: Actor,
) => Promise<SubjectToken>;
