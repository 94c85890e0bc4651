import { Redis } from 'ioredis';
import type { ReplayStore } from '../../src/ports/replay-store.ts';
import type { RedisReplayOptions } from '../../src/store/redis/replay-marker.ts';

/** A replay store that is not atomic, which only parallel requests reveal. */
export function redisReplay({
  url,
  onError,
}: RedisReplayOptions): ReplayStore & { ping(): Promise<void>; close(): void } {
  const redis = new Redis(url);
  redis.on('error', onError);
  return {
    async markUsed(uses) {
      const known = await Promise.all(uses.map(({ key }) => redis.get(key)));
      await Promise.all(uses.map(({ key }) => redis.set(key, '1', 'EX', 600)));
      return known.map((found) => found === null);
    },
    ping: async () => void (await redis.ping()),
    close: () => redis.disconnect(),
  };
}
