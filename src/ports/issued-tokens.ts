import type { AuditEvent } from '../domain/audit-event.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import type { PairingMode } from '../domain/pairing.ts';

/** The pairing by which a client has a part in another client's token. */
export interface PairedAtIssuance {
  /** The consent of the pairing. */
  readonly pairing: string;
  /** How the key of an additional holder was proven. */
  readonly form: PairingMode;
}

/** What the store knows of an issued token, besides its claims. */
export interface TokenState {
  /** The registration to which it was issued; undefined once that is deleted. */
  readonly client: ClientRegistration | undefined;
  /** Revoked, or exchanged under a revoked pairing or from a token without a record. */
  readonly revoked: boolean;
  /** The state of the token for which it was exchanged: once that is inactive, so is this one. */
  readonly source: TokenState | undefined;
  /** Of the actor token, where it is of a delegation; the same holds for that. */
  readonly actor: TokenState | undefined;
  /** The number of exchanges that led to it. */
  readonly exchanges: number;
  /** Id of the resource server that it was issued for; undefined if the record lacks it. */
  readonly resourceServer: string | undefined;
  /** Whether its subject was a user when it was issued; undefined if the record lacks it. */
  readonly ofUser: boolean | undefined;
  /** Whether it is a workload that a platform's token named. */
  readonly ofWorkload: boolean;
  /** The consents of the pairings by which it was exchanged. */
  readonly pairings: readonly string[];
  /** By `client_id` of an additional holder or actor: the pairing at issuance. */
  readonly pairedAtIssuance: ReadonlyMap<string, PairedAtIssuance>;
  /** `kid` of every signing key that is compromised. */
  readonly revokedKids: readonly string[];
  readonly evidence: string | undefined;
  readonly jkt: string | undefined;
}

/** All tokens of a client, all tokens bound to a key, or those of a client bound to a key. */
export type TokensOf =
  | { readonly client_id: string; readonly jkt?: string }
  | { readonly client_id?: never; readonly jkt: string };

/** The tokens that were issued, as the audit trail knows them. */
export interface IssuedTokens {
  /** The state of a token, with the commits of every replica; undefined: it is not on record. */
  state(jti: string): Promise<TokenState | undefined>;
  /**
   * Makes the token and all that came of it inactive until it expires (seconds since the epoch),
   * and records that; both are durable when it resolves.
   */
  revoke(jti: string, expiresAt: number, event: AuditEvent): Promise<void>;
  /**
   * `client_id` of those who have tokens for the admin API that are bound to the key and have not
   * expired at `now`, in seconds.
   */
  adminsOfKey(jkt: string, now: number): Promise<readonly string[]>;
  /**
   * Makes every token that was issued to the client, or is bound to the key, or both, inactive, and
   * all that came of it; answers how many. What `eventOf` makes of their number is recorded with
   * it; undefined: nothing is.
   */
  revokeAll(of: TokensOf, eventOf: (revoked: number) => AuditEvent | undefined): Promise<number>;
}
