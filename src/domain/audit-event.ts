import type { ClientRegistration } from './client-registration.ts';
import type { PairingMode } from './pairing.ts';

/** What happened. */
export type AuditEventType =
  | 'token_issued'
  | 'token_refused'
  | 'revocation_refused'
  | 'token_revoked'
  | 'client_tokens_revoked'
  | 'key_tokens_revoked'
  | `${'client' | 'client_secret' | 'resource_server' | 'resource_server_secret' | 'pairing' | 'trusted_issuer'}_${'created' | 'changed' | 'deleted'}`
  | 'pairing_revoked'
  | `signing_key_${'announced' | 'activated' | 'retired' | 'removed' | 'revoked'}`
  | `dpop_nonce_secret_${'announced' | 'replaced'}`
  | 'key_encryption_key_changed'
  | 'refusals_sampled';

/** Who did it: `client:ID`, `resource_server:ID`, `admin` or `server`. */
export type AuditActor = 'admin' | 'server' | `client:${string}` | `resource_server:${string}`;

/** One entry of the audit trail. Nothing secret has a place in it. */
export interface AuditEvent {
  /** Sorts by time; for an issuance the `jti` of the token. Made when absent. */
  readonly id?: string;
  readonly type: AuditEventType;
  readonly actor: AuditActor;
  readonly client_id?: string;
  readonly audience?: string;
  /** RFC 7638 thumbprint of the key concerned, or the SHA-256 thumbprint of its certificate. */
  readonly jkt?: string;
  readonly jti?: string;
  /** How possession was shown. */
  readonly evidence?: string;
  /** Reason code of a refusal. */
  readonly reason?: string;
  /** Seconds since the epoch. */
  readonly token_expires_at?: number;
  /** Of an issuance: the registration of the client, of which `client_id` is the label. */
  readonly registration_id?: string;
  /** Of an issuance: id of the resource server. */
  readonly resource_server_id?: string;
  /** Of an issuance by token exchange: `jti` of the subject token. */
  readonly source?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** An entry as stored; `at` in milliseconds since the epoch. */
export interface RecordedEvent extends AuditEvent {
  readonly id: string;
  readonly at: number;
}

/** The append-only record of everything that matters. */
export interface AuditTrail {
  /** Resolves when the record is durable. Throws StoreUnavailable. */
  record(event: AuditEvent): Promise<void>;
}

/** Which entries are asked for; times in milliseconds since the epoch. */
export interface AuditQuery {
  readonly limit: number;
  /** Entries after this `id`. */
  readonly after?: string;
  readonly type?: string;
  readonly client_id?: string;
  readonly jkt?: string;
  readonly jti?: string;
  readonly since?: number;
  readonly until?: number;
}

/** The trail as the admin reads it, oldest first. */
export interface AuditLog {
  list(query: AuditQuery): Promise<readonly RecordedEvent[]>;
}

/** Under what a client has a part in the token of another. */
export interface PairedAtIssuance {
  /** The consent of the pairing. */
  readonly pairing: string;
  /** How the key of a further holder came in. */
  readonly form: PairingMode;
}

/** What is known of an issued token besides what it says itself. */
export interface TokenState {
  /** The very registration to which it was issued, as every replica has committed it; undefined: deleted, whoever bears its name now. */
  readonly client: ClientRegistration | undefined;
  /** Revoked itself, or exchanged under a pairing that is in force no more, or of a token of which there is no record any more. */
  readonly revoked: boolean;
  /** Of the token for which it was exchanged: once that counts no more, neither does this one. */
  readonly source: TokenState | undefined;
  /** How many exchanges led to it. */
  readonly exchanges: number;
  /** Id of the resource server that it was issued for; undefined in records of older versions. */
  readonly resourceServer: string | undefined;
  /** Whether its subject is a user, as known when it was issued; undefined in records of older versions. */
  readonly ofUser: boolean | undefined;
  /** The consents of the pairings by which it was exchanged. */
  readonly pairings: readonly string[];
  /** By `client_id` of a further holder, or of one that may exchange the token: what was in force when it was issued. */
  readonly pairedAtIssuance: ReadonlyMap<string, PairedAtIssuance>;
  /** `kid` of every signing key that is compromised. */
  readonly revokedKids: readonly string[];
  readonly evidence: string | undefined;
  readonly jkt: string | undefined;
}

/** Tokens of a client, tokens bound to a key, or a client's that are bound to one. */
export type TokensOf =
  | { readonly client_id: string; readonly jkt?: string }
  | { readonly client_id?: never; readonly jkt: string };

/** The tokens that were issued, as the audit trail knows them. */
export interface IssuedTokens {
  /** Undefined: this server has no record of having issued it. Reads what every replica has committed. */
  state(jti: string): Promise<TokenState | undefined>;
  /** Makes the token and all that came of it inactive until it has expired (seconds since the epoch), and records that; both durable when it resolves. */
  revoke(jti: string, expiresAt: number, event: AuditEvent): Promise<void>;
  /**
   * Makes every token that was issued to the client, or is bound to the key, or both, inactive, and all that came of it; answers how many.
   * What `eventOf` makes of their number is recorded with it; undefined: nothing is.
   */
  revokeAll(of: TokensOf, eventOf: (revoked: number) => AuditEvent | undefined): Promise<number>;
}
