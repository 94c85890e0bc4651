import type { AuditEvent } from '../domain/audit-event.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import type { PairingMode } from '../domain/pairing.ts';

/** The pairing that entitles a client to share in another client's token. */
export interface PairedAtIssuance {
  /** The consent of the pairing. */
  readonly pairing: string;
  /** How the key of an additional holder was proven. */
  readonly form: PairingMode;
}

/** What the store knows of an issued token, besides its claims. */
export interface TokenState {
  /** The registration to which it was issued; undefined after its deletion. */
  readonly client: ClientRegistration | undefined;
  /** Revoked, or exchanged under a revoked pairing or from a token without a record. */
  readonly revoked: boolean;
  /** The state of the token it was exchanged for; if that is inactive, so is this one. */
  readonly source: TokenState | undefined;
  /** For a delegation, the state of the actor token, to which the same applies. */
  readonly actor: TokenState | undefined;
  /** The number of exchanges that led to it. */
  readonly exchanges: number;
  /** Id of the resource server that it was issued for; undefined if the record lacks it. */
  readonly resourceServer: string | undefined;
  /** Whether its subject was a user when it was issued; undefined if the record lacks it. */
  readonly ofUser: boolean | undefined;
  /** Whether its subject is a workload, named by a platform's token. */
  readonly ofWorkload: boolean;
  /** The only audiences of all tokens exchanged for it; undefined: no limit. */
  readonly audiences: readonly string[] | undefined;
  /** The consents of the pairings under which it was exchanged. */
  readonly pairings: readonly string[];
  /** The pairing at issuance, by `client_id` of an additional holder or actor. */
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

/** The issued tokens, as recorded in the audit trail. */
export interface IssuedTokens {
  /** The state of a token, with the commits of every replica; undefined if it is not recorded. */
  state(jti: string): Promise<TokenState | undefined>;
  /**
   * Makes the token and everything derived from it inactive until it expires (seconds since the
   * epoch), and records that; both are durable when it resolves.
   */
  revoke(jti: string, expiresAt: number, event: AuditEvent): Promise<void>;
  /**
   * `client_id` of the clients with tokens for the admin API that are bound to the key and
   * unexpired at `now`, in seconds.
   */
  adminsOfKey(jkt: string, now: number): Promise<readonly string[]>;
  /**
   * Makes every token issued to the client, bound to the key, or both, inactive, with everything
   * derived from it; returns their number. The event that `eventOf` returns for it, if any, is
   * recorded too.
   */
  revokeAll(of: TokensOf, eventOf: (revoked: number) => AuditEvent | undefined): Promise<number>;
}
