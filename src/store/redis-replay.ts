import { Redis } from 'ioredis';
import { StoreUnavailable } from '../oauth-error.ts';
import type { Clock, ReplayStore, SingleUse } from '../ports.ts';
import { batched } from './batched.ts';

/** What the replay records in Redis stand on. */
export interface RedisReplayOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Hears of lost connections; the client reconnects for ever. */
  readonly onError: (error: Error) => void;
}

/** Replay records in Redis: one `SET NX PX` a use, those of all requests of one turn of the event loop in one round trip (RFC 9449 §11.1). */
export function redisReplay({ url, clock, onError }: RedisReplayOptions): ReplayStore & { ping(): Promise<void>; close(): void } {
  const redis = new Redis(url, {
    commandTimeout: 1000,
    connectTimeout: 1000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries) => Math.min(tries * 100, 1000),
  });
  redis.on('error', onError);
  const markUsed = batched<readonly SingleUse[], readonly boolean[]>(async (requests) => {
    try {
      const pipeline = redis.pipeline();
      // A span, not a moment: were the clock of Redis ahead of ours, a moment could be over before the proof is. The minute is for replicas behind us.
      const now = clock();
      for (const { key, expiresAt } of requests.flat())
        pipeline.set(`holdfast:replay:${key}`, '1', 'PX', Math.max(Math.ceil(expiresAt * 1000 - now), 0) + 60_000, 'NX');
      const answers = (await pipeline.exec()) ?? [];
      let next = 0;
      return requests.map((uses) =>
        uses.map(() => {
          const [error, answer] = answers[next++] ?? [new Error('Redis left a command unanswered')];
          if (error !== null) throw error;
          return answer === 'OK';
        }),
      );
    } catch (cause) {
      throw new StoreUnavailable('replay', cause);
    }
  });
  return {
    markUsed,
    async ping() {
      await redis.ping();
    },
    close: () => redis.disconnect(),
  };
}
