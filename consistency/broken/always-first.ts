import type { ReplayStore } from '../../src/ports/replay-store.ts';

/** A replay store that remembers nothing. */
export function redisReplay(): ReplayStore & { ping(): Promise<void>; close(): void } {
  return {
    markUsed: async (uses) => uses.map(() => true),
    ping: async () => undefined,
    close: () => undefined,
  };
}
