/** A registered key to which a live token is bound. */
export interface BoundKey {
  readonly client_id: string;
  readonly jkt: string;
  /** Expiry of the last such token; seconds since the epoch. */
  readonly expiresAt: number;
}

/** Registered keys to which tokens are bound. */
export interface BoundKeys {
  /**
   * Keys that may have been removed: for clients with a `jwks_uri`, those of tokens issued since
   * `after`; for changed clients, all. In seconds. Throws StoreUnavailable.
   */
  since(after: number, now: number): Promise<readonly BoundKey[]>;
}
