import type { Clock } from '../clock.ts';
import type { ReplayStore, SingleUse } from '../replay-store.ts';

/**
 * Records of used proofs in the memory of this process: for one process, and until it ends. Only proofs that confirm a valid token are recorded.
 * @param max records; when that many are unexpired, further proofs are refused rather than old ones forgotten
 */
export function memoryReplay({ max = 100_000, clock = Date.now }: { readonly max?: number; readonly clock?: Clock } = {}): ReplayStore {
  const used = new Map<string, number>();
  const forgetExpired = (now: number) => {
    // Records expire nearly in the order in which they came, so the first that has not ends the search.
    for (const [key, expiresAt] of used) {
      if (expiresAt > now) return;
      used.delete(key);
    }
  };
  return {
    async markUsed(uses) {
      forgetExpired(clock() / 1000);
      if (used.size + uses.length > max) throw new Error('the replay store is full');
      return uses.map(({ key, expiresAt }) => {
        if (used.has(key)) return false;
        used.set(key, expiresAt);
        return true;
      });
    },
  };
}

/** What is needed of a Redis client; `ioredis` has it. */
export interface RedisClient {
  set(key: string, value: string, px: 'PX', milliseconds: number, nx: 'NX'): Promise<unknown>;
}

/**
 * Records of used proofs in Redis, for any number of processes that share it: one `SET NX PX` a use. A Redis that loses its memory (restarted
 * without persistence, failed over to a copy that lagged) readmits proofs of the last minute and a half; nonces close that gap for older ones.
 */
export function redisReplay(
  redis: RedisClient,
  { prefix = 'holdfast:rs:', clock = Date.now }: { readonly prefix?: string; readonly clock?: Clock } = {},
): ReplayStore {
  const mark = async ({ key, expiresAt }: SingleUse) =>
    // A span, not a moment, and a minute more: the clock of Redis, or of another process, may differ from ours.
    (await redis.set(prefix + key, '1', 'PX', Math.max(Math.ceil(expiresAt * 1000 - clock()), 0) + 60_000, 'NX')) === 'OK';
  return { markUsed: async (uses) => Promise.all(uses.map(mark)) };
}
