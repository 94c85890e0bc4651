import type { AuditEventType } from './audit-event-types.ts';
import type { RefusalReason } from './refusal-reasons.ts';

export type { AuditEventType } from './audit-event-types.ts';

/**
 * Who did it: `client:ID`, `resource_server:ID`, `trusted_issuer:ID`, `admin:NAME` or `server`.
 * `admin` stands for whichever admin acts, and is stored by its name.
 */
export type AuditActor =
  | 'admin'
  | 'server'
  | `${'admin' | 'client' | 'resource_server' | 'trusted_issuer'}:${string}`;

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
  /** Of a refusal. */
  readonly reason?: RefusalReason;
  /** Seconds since the epoch. */
  readonly token_expires_at?: number;
  /** Of an issuance: the registration of the client, of which `client_id` is the label. */
  readonly registration_id?: string;
  /** Of an issuance: id of the resource server. */
  readonly resource_server_id?: string;
  /** Of an issuance by token exchange: `jti` of the subject token. */
  readonly source?: string;
  /**
   * Of an issuance by the word of a trusted issuer: id of the rule, or else of the issuer, by which
   * the client was authenticated, and by which it was granted.
   */
  readonly client_authority?: string;
  readonly grant_authority?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** An entry as stored; `at` in milliseconds since the epoch. */
export interface RecordedEvent extends Omit<AuditEvent, 'reason'> {
  readonly id: string;
  readonly at: number;
  /** A reason of this or of an earlier version. */
  readonly reason?: string;
}
