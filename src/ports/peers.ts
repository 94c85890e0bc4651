/** The other processes on this machine that serve the same stores. */
export interface Peers {
  /** Invalidates what peers cache; resolves once they have dropped it. */
  invalidate(): Promise<void>;
  /** Is called when one of them has changed something. */
  onInvalidation(forget: () => Promise<void>): void;
  /** The part of each of them that answers within a second. */
  gather(): Promise<readonly unknown[]>;
  /** Is called for the part of this process: plain data. */
  onGather(tell: () => Promise<unknown>): void;
}

/** A process that is the only one. */
export const noPeers: Peers = {
  invalidate: async () => undefined,
  onInvalidation: () => undefined,
  gather: async () => [],
  onGather: () => undefined,
};
