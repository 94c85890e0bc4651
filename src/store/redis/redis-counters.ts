import { connectRedis } from './connect-redis.ts';
import type { RedisReplayOptions } from './replay-marker.ts';

/**
 * A connection for counters that may be lost and must not hold anybody up; apart from the one for
 * replay records.
 */
export function redisCounters({
  url,
  installation,
  onError,
}: Pick<RedisReplayOptions, 'url' | 'installation' | 'onError'>) {
  const redis = connectRedis(url, 200, onError);
  return { redis, prefix: `holdfast:${installation}:rate:`, close: () => redis.disconnect() };
}
