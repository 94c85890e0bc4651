import { Redis } from 'ioredis';
import { StoreUnavailable } from '../oauth-error.ts';
import type { ReplayStore } from '../ports.ts';

/** Replay records in Redis: one MULTI of `SET NX PXAT` marks all uses. `onError` hears of lost connections; the client reconnects for ever. */
export function redisReplay(url: string, onError: (error: Error) => void): ReplayStore & { ping(): Promise<void>; close(): void } {
  const redis = new Redis(url, {
    commandTimeout: 1000,
    connectTimeout: 1000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries) => Math.min(tries * 100, 1000),
  });
  redis.on('error', onError);
  return {
    async markUsed(uses) {
      try {
        const transaction = redis.multi();
        // A minute of grace: the clock of Redis may be ahead of ours.
        for (const { key, expiresAt } of uses) transaction.set(`holdfast:replay:${key}`, '1', 'PXAT', (expiresAt + 60) * 1000, 'NX');
        const results = await transaction.exec();
        if (results?.length !== uses.length) throw new Error('Redis discarded the transaction');
        return results.map(([error, answer]) => {
          if (error !== null) throw error;
          return answer === 'OK';
        });
      } catch (cause) {
        throw new StoreUnavailable('replay', cause);
      }
    },
    async ping() {
      await redis.ping();
    },
    close: () => redis.disconnect(),
  };
}
