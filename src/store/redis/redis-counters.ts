import { connectRedis } from './connect-redis.ts';
import type { RedisReplayOptions } from './replay-marker.ts';

/** A separate connection from that of replay, for counters that may be lost and delay nobody. */
export function redisCounters({
  url,
  installation,
  onError,
}: Pick<RedisReplayOptions, 'url' | 'installation' | 'onError'>) {
  const redis = connectRedis(url, 200, onError);
  return { redis, prefix: `holdfast:${installation}:rate:`, close: () => redis.disconnect() };
}
