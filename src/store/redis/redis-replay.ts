import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { databaseClock } from '../../domain/database-clock.ts';
import { StoreUnavailable } from '../../domain/oauth-error.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import { timed } from '../../ports/measurements.ts';
import type { ReplayStore, WasUsed } from '../../ports/replay-store.ts';
import { batched } from '../connection/batched.ts';
import { clockMargin } from '../connection/database-time.ts';
import { connectRedis } from './connect-redis.ts';
import { type RedisReplayOptions, replayMarker } from './replay-marker.ts';

/**
 * Replay records in Redis: one `SET NX PX` per use, with those of all requests in one turn of the
 * event loop in one round trip (RFC 9449 §11.1).
 *
 * A Redis that comes back empty, or as another process (after a restart, or a fail-over to a copy
 * that lagged), may have forgotten uses. A marker beside the records names the process (`run_id`)
 * that keeps them, and since when. If it is missing or names another process, records are complete
 * only from now on, and StoreUnavailable refuses whatever could have been used before until it is
 * too old. While Redis may evict records nothing is accepted, and afterwards they count as lost.
 */
export function redisReplay(options: RedisReplayOptions): ReplayStore & {
  readonly wasUsed: WasUsed;
  ping(): Promise<void>;
  /** Proves that records can be written, and are not evicted. */
  checkWrite(): Promise<void>;
  close(): void;
} {
  const { url, clock, redisClock, installation, onError } = options;
  const orUnavailable = asking(timed(options.measured, 'redis'));
  const redis = connectRedis(url, 1000, onError);
  const redisTime = databaseClock(clock);
  const measure = () =>
    redisTime.measuredBy(async () => {
      const [seconds] = await redis.time();
      return { databaseTime: redisClock?.() ?? Number(seconds) * 1000 };
    });
  const marker = replayMarker(redis, redisTime, measure, options);
  const refuseEviction = () => {
    if (marker.mayEvict()) throw new Error('Redis may evict replay records');
  };
  const recordOf = ({ key }: SingleUse) => `holdfast:${installation}:replay:${key}`;
  const mark = batched<readonly SingleUse[], readonly boolean[] | 'lost'>(async (requests) =>
    orUnavailable(async () => {
      const process = marker.process();
      if (process === undefined) throw new Error('Redis is not connected');
      refuseEviction();
      // The longer of two spans. By our clock, since a Redis clock that is ahead could drop the
      // record before the proof expires; by that of Redis, since other replicas would accept the
      // proof later if our clock is ahead. The margin is for replicas behind both.
      const now = Math.min(clock(), redisTime.now());
      const records = requests.flat().map((use) => {
        const left = Math.max(Math.ceil(use.expiresAt * 1000 - now), 0);
        return [recordOf(use), left + clockMargin * 1000] as const;
      });
      const { marked, found } = await setAll(redis, records, marker.key);
      const since = await marker.completeSince(found, process);
      let next = 0;
      return requests.map((uses) => {
        const own = uses.map(() => marked[next++] === true);
        return uses.some(({ acceptableFrom }) => acceptableFrom < since) ? 'lost' : own;
      });
    }),
  );
  return {
    async markUsed(uses) {
      const marked = await mark(uses);
      if (marked === 'lost')
        throw new StoreUnavailable('replay', new Error('replay records of that time were lost'));
      return marked;
    },
    wasUsed: async (use) => orUnavailable(async () => (await redis.exists(recordOf(use))) === 1),
    async ping() {
      await measure();
      if (marker.process() === undefined)
        throw new Error('Redis has not said yet which process it is');
    },
    async checkWrite() {
      if (redis.status !== 'ready')
        await once(redis, 'ready', { signal: AbortSignal.timeout(1000) });
      await redis.set(`holdfast:${installation}:write-check`, '1', 'PX', 60_000);
      await marker.checkEviction();
      refuseEviction();
    },
    close: () => redis.disconnect(),
  };
}

/** Measures queries to Redis and turns any error into StoreUnavailable. */
function asking(time: <T>(work: () => Promise<T>) => Promise<T>) {
  return async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await time(ask);
    } catch (cause) {
      throw new StoreUnavailable('replay', cause);
    }
  };
}

/** Sets each record that does not exist yet, for so many milliseconds, and reads the marker. */
async function setAll(
  redis: Redis,
  records: readonly (readonly [record: string, milliseconds: number])[],
  marker: string,
) {
  const pipeline = redis.pipeline();
  for (const [record, milliseconds] of records) pipeline.set(record, '1', 'PX', milliseconds, 'NX');
  // The marker is read last: if all records were forgotten after it was read, a used proof could be
  // marked again.
  const answers = ((await pipeline.get(marker).exec()) ?? []).map(([error, answer]) => {
    if (error !== null) throw error;
    return answer;
  });
  if (answers.length !== records.length + 1) throw new Error('Redis left a command unanswered');
  return { marked: answers.slice(0, -1).map((answer) => answer === 'OK'), found: answers.at(-1) };
}
