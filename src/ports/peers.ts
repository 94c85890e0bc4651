/** The other processes on this machine that serve the same stores. */
export interface Peers {
  /** Invalidates what peers cache; resolves once they have dropped it. */
  invalidate(): Promise<void>;
  /** Sets the function to run when a peer has changed something. */
  onInvalidation(forget: () => Promise<void>): void;
  /** Collects the parts of the peers that respond within a second. */
  gather(): Promise<readonly unknown[]>;
  /** Sets the function that returns this process's part, as plain data. */
  onGather(tell: () => Promise<unknown>): void;
}

/** For a process without peers. */
export const noPeers: Peers = {
  invalidate: async () => undefined,
  onInvalidation: () => undefined,
  gather: async () => [],
  onGather: () => undefined,
};
