import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import type { Clock } from '../../domain/clock.ts';
import { connectRedis } from '../../store/redis/connect-redis.ts';
import { clockFinding } from './clock-finding.ts';
import { about, type Finding, reasonOf } from './finding.ts';

const reachable = about('Redis', 'answers', 'reference/configuration.md');
const kept = about('Redis eviction', 'keeps every replay record', 'reference/configuration.md');
const replay = about('replay records', 'a key counts once', 'operations/sizing.md');

/** Checks the Redis for replay records by a round trip with a separate key, which is removed. */
export async function checkRedis(url: string, clock: Clock): Promise<readonly Finding[]> {
  const redis = connectRedis(url, 2000, () => undefined);
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(3000) });
    return [
      reachable.ok('it answers'),
      await checkEviction(redis),
      await checkClock(redis, clock),
      await checkRoundTrip(redis),
    ];
  } catch (error) {
    const place = URL.canParse(url) ? new URL(url).host : 'Redis';
    return [reachable.fault(`${place}: ${reasonOf(error)}`, 'Start Redis, or correct REDIS_URL.')];
  } finally {
    redis.disconnect();
  }
}

async function checkEviction(redis: Redis): Promise<Finding> {
  const memory = await redis.info('memory');
  const [, policy = 'unknown'] = /^maxmemory_policy:(\S+)/m.exec(memory) ?? [];
  const [, limit = '0'] = /^maxmemory:(\d+)/m.exec(memory) ?? [];
  const found = `maxmemory ${limit}, maxmemory-policy ${policy}`;
  return limit === '0' || policy === 'noeviction'
    ? kept.ok(found)
    : kept.fault(found, 'Set maxmemory-policy to noeviction: until then no proof is accepted.');
}

async function checkClock(redis: Redis, clock: Clock): Promise<Finding> {
  const before = clock();
  const [seconds, microseconds] = await redis.time();
  const at = Number(seconds) * 1000 + Number(microseconds) / 1000;
  return clockFinding('Redis', { at, before, after: clock() });
}

async function checkRoundTrip(redis: Redis): Promise<Finding> {
  const key = `holdfast:doctor:${randomUUID()}`;
  const mark = async () => redis.set(key, '1', 'PX', 10_000, 'NX');
  try {
    const answers = [await mark(), await mark()].map((answer) => answer ?? 'refused').join(', ');
    await redis.del(key);
    return answers === 'OK, refused'
      ? replay.ok('stored once, refused the second time')
      : replay.fault(answers, 'Use a Redis that has SET with NX and PX.');
  } catch (error) {
    return replay.fault(reasonOf(error), 'Point REDIS_URL to a primary with free memory.');
  }
}
