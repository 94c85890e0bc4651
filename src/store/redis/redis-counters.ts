import { Redis } from 'ioredis';
import type { RedisReplayOptions } from './redis-replay.ts';

/** A connection for counters that may be lost and must not hold anybody up; apart from the one for replay records. */
export function redisCounters({
  url,
  installation,
  onError,
}: Pick<RedisReplayOptions, 'url' | 'installation' | 'onError'>) {
  const redis = new Redis(url, {
    commandTimeout: 200,
    connectTimeout: 1000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries) => Math.min(tries * 100, 1000),
  });
  redis.on('error', onError);
  return { redis, prefix: `holdfast:${installation}:rate:`, close: () => redis.disconnect() };
}
