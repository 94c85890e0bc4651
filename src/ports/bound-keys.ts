/** A registered key to which a live token is bound. */
export interface BoundKey {
  readonly client_id: string;
  readonly jkt: string;
  /** Of the last such token; seconds since the epoch. */
  readonly expiresAt: number;
}

/** Registered keys to which tokens are bound. */
export interface BoundKeys {
  /**
   * Keys that may have gone: of clients with a `jwks_uri`, tokens issued since `after`; of changed
   * clients, all. Seconds. Throws StoreUnavailable.
   */
  since(after: number, now: number): Promise<readonly BoundKey[]>;
}
