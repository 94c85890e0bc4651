/** The other processes on this machine that serve the same stores. */
export interface Peers {
  /** Tells them that something of which they may hold a copy has changed; resolves when they have forgotten it, or when their copies are too old anyway. */
  tell(): Promise<void>;
  /** Is called when one of them has changed something. */
  onInvalidation(forget: () => Promise<void>): void;
}

/** A process that is the only one. */
export const noPeers: Peers = { tell: async () => undefined, onInvalidation: () => undefined };
