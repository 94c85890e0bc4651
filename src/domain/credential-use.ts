/** A credential by which a client or resource server authenticates, or a registered key. */
export type CredentialKind = 'secret' | 'registered_key' | 'certificate';

/** A credential that was accepted. */
export interface Credential {
  readonly kind: CredentialKind;
  /** Id of a secret, `jkt` of a key (RFC 7638), `x5t#S256` of a certificate (RFC 8705 §3.1). */
  readonly identifier: string;
}

/** The last known use of a credential. */
export interface CredentialUse extends Credential {
  /** `registration_id` of the client, or `id` of the resource server. */
  readonly registrationId: string;
  readonly kid?: string;
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
}
