/** One use of something that counts once: a DPoP proof, a client assertion. */
export interface SingleUse {
  /** base64url SHA-256 over kind, owner and `jti`; see `single-use.ts`. 43 characters. */
  readonly key: string;
  /** Seconds since the epoch until which the used thing could still be accepted; the record lives at least that long. */
  readonly expiresAt: number;
  /** Seconds since the epoch from which on the used thing could have been accepted. */
  readonly acceptableFrom: number;
}

/** Whether a use was marked before. A hint only: what counts once is decided by marking it. Throws when the store is away. */
export type WasUsed = (use: SingleUse) => Promise<boolean>;

export interface ReplayStore {
  /**
   * Marks every use in one atomic step and answers, in order, whether each was the first.
   * Of any number of concurrent calls with one key exactly one is answered `true`. Throws when the store is away.
   */
  markUsed(uses: readonly SingleUse[]): Promise<readonly boolean[]>;
}
