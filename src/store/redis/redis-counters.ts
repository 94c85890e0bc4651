import { connectRedis } from './connect-redis.ts';
import type { RedisReplayOptions } from './replay-marker.ts';

/** A connection for counters, which may be lost and hold nobody up; replay has another one. */
export function redisCounters({
  url,
  installation,
  onError,
}: Pick<RedisReplayOptions, 'url' | 'installation' | 'onError'>) {
  const redis = connectRedis(url, 200, onError);
  return { redis, prefix: `holdfast:${installation}:rate:`, close: () => redis.disconnect() };
}
