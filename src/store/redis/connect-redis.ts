import { Redis, type RedisOptions } from 'ioredis';

/** This Redis cannot be used as it is; the message says what to do. */
export class RedisError extends Error {
  override readonly name = 'RedisError';
}

/** Options of every connection: a command that cannot be sent immediately fails. */
const options = {
  connectTimeout: 1000,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  // After a fail-over, the old primary is a replica and a new connection leads to the new primary.
  // Redis 6 has the word inside the error of a script.
  reconnectOnError: ({ message }: Error) => message.includes('READONLY'),
  retryStrategy: (tries: number) => Math.min(tries * 100, 1000),
} satisfies RedisOptions;

/**
 * Connects to Redis, and reconnects if the connection is lost or leads to a replica.
 * @param commandTimeout milliseconds after which a command without an answer fails
 * @param onError receives the errors of lost connections
 */
export function connectRedis(
  url: string,
  commandTimeout: number,
  onError: (error: Error) => void,
): Redis {
  return new Redis(url, { ...options, commandTimeout }).on('error', onError);
}

/**
 * Refuses a Redis Cluster, whose nodes redirect most keys. A Redis that does not answer now is
 * accepted, since it may start later; `redisReplay` then checks again. Throws RedisError.
 */
export async function refuseCluster(url: string): Promise<void> {
  const redis = new Redis(url, {
    ...options,
    commandTimeout: 1000,
    lazyConnect: true,
    retryStrategy: () => null,
  }).on('error', () => undefined);
  try {
    await redis.connect();
    checkNoCluster(await redis.info('cluster'));
  } catch (error) {
    if (error instanceof RedisError) throw error;
  } finally {
    redis.disconnect();
  }
}

/** Throws RedisError if `INFO cluster` shows a Redis Cluster. */
export function checkNoCluster(info: string): void {
  if (/^cluster_enabled:1/m.test(info))
    throw new RedisError(
      'REDIS_URL leads to a Redis Cluster (cluster_enabled:1), which is not supported: use one primary, by a name or proxy that follows its fail-over.',
    );
}
