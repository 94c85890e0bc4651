/** The other processes on this machine that serve the same stores. */
export interface Peers {
  /** Invalidates what peers cache; resolves once they have dropped it. */
  invalidate(): Promise<void>;
  /** Sets what runs when a peer has changed something. */
  onInvalidation(forget: () => Promise<void>): void;
  /** Collects the parts of the peers that answer within a second. */
  gather(): Promise<readonly unknown[]>;
  /** Sets what answers the part of this process: plain data. */
  onGather(tell: () => Promise<unknown>): void;
}

/** The peers of a process that is alone: none. */
export const noPeers: Peers = {
  invalidate: async () => undefined,
  onInvalidation: () => undefined,
  gather: async () => [],
  onGather: () => undefined,
};
