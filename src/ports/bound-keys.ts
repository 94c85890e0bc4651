/** A registered key to which a live token is bound. */
export interface BoundKey {
  readonly client_id: string;
  readonly jkt: string;
  /** Of the last such token; seconds since the epoch. */
  readonly expiresAt: number;
}

/** Keys to which tokens were bound because they signed the client assertion, or are those of registered certificates. */
export interface BoundKeys {
  /** Where keys may have gone: of clients with a `jwks_uri` by the tokens issued since `after`, of clients that were changed since by all. Seconds. Throws StoreUnavailable. */
  since(after: number, now: number): Promise<readonly BoundKey[]>;
}
