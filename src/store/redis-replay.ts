import { Redis } from 'ioredis';
import { StoreUnavailable } from '../oauth-error.ts';
import type { Clock, ReplayStore } from '../ports.ts';

/** What the replay records in Redis stand on. */
export interface RedisReplayOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Hears of lost connections; the client reconnects for ever. */
  readonly onError: (error: Error) => void;
}

/** Replay records in Redis: one MULTI of `SET NX PX` marks all uses (RFC 9449 §11.1). */
export function redisReplay({ url, clock, onError }: RedisReplayOptions): ReplayStore & { ping(): Promise<void>; close(): void } {
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
        // A span, not a moment: were the clock of Redis ahead of ours, a moment could be over before the proof is. The minute is for replicas behind us.
        const now = clock();
        for (const { key, expiresAt } of uses)
          transaction.set(`holdfast:replay:${key}`, '1', 'PX', Math.max(Math.ceil(expiresAt * 1000 - now), 0) + 60_000, 'NX');
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
