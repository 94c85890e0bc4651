import type { AuditEventType } from './audit-event-types.ts';
import type { RefusalReason } from './refusal-reasons.ts';

export type { AuditEventType } from './audit-event-types.ts';

/**
 * Who did it: `client:ID`, `resource_server:ID`, `trusted_issuer:ID`, `admin:NAME#ID` or `server`.
 * `admin` stands for the acting admin and is stored with name and id.
 */
export type AuditActor =
  | 'admin'
  | 'server'
  | `${'admin' | 'client' | 'resource_server' | 'trusted_issuer'}:${string}`;

/** One entry of the audit trail. It contains nothing secret. */
export interface AuditEvent {
  /** Sorts by time; for an issuance, the `jti` of the token. Generated when absent. */
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
  /** The reason of a refusal. */
  readonly reason?: RefusalReason;
  /** Seconds since the epoch. */
  readonly token_expires_at?: number;
  /** For an issuance: the registration of the client; `client_id` is only its label. */
  readonly registration_id?: string;
  /** For an issuance: the id of the resource server. */
  readonly resource_server_id?: string;
  /** For an issuance by token exchange: the `jti` of the subject token. */
  readonly source?: string;
  /** For a delegation: `jti` of the actor token. */
  readonly actor_source?: string;
  /**
   * For an issuance based on a trusted issuer: the id of the rule (or issuer) that authenticated
   * the client, and of the one that granted the token.
   */
  readonly client_authority?: string;
  readonly grant_authority?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** An entry as stored; `at` in milliseconds since the epoch. */
export interface RecordedEvent extends Omit<AuditEvent, 'reason'> {
  readonly id: string;
  readonly at: number;
  /** A reason of this version or an earlier one. */
  readonly reason?: string;
}
