/** The other processes on this machine that serve the same stores. */
export interface Siblings {
  /** Tells them that something of which they may hold a copy has changed; resolves when they have forgotten it, or when their copies are too old anyway. */
  tell(): Promise<void>;
  /** Is called when one of them has changed something. */
  onTold(forget: () => Promise<void>): void;
}

/** A process that is the only one. */
export const noSiblings: Siblings = { tell: async () => undefined, onTold: () => undefined };
