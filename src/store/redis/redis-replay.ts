import { once } from 'node:events';
import type { Clock } from '../../domain/clock.ts';
import { databaseClock } from '../../domain/database-clock.ts';
import { StoreUnavailable } from '../../domain/oauth-error.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import type { ReplayStore, WasUsed } from '../../ports/replay-store.ts';
import { batched } from '../connection/batched.ts';
import { clockMargin } from '../connection/database-time.ts';
import { checkNoCluster, connectRedis } from './connect-redis.ts';

/** What the replay records in Redis stand on. */
export interface RedisReplayOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Replaces the clock of Redis in a test. */
  readonly redisClock?: Clock | undefined;
  /** Names this installation among those that share the Redis; kept in the database. */
  readonly installation: string;
  /**
   * True: nothing has been marked used before this start, so no Redis can have forgotten anything.
   */
  readonly first: boolean;
  /** Seconds by which the clocks of two replicas may differ. */
  readonly clockTolerance: number;
  /** Hears of lost connections; the client reconnects for ever. */
  readonly onError: (error: Error) => void;
  /** Hears that records were lost. */
  readonly onLoss: () => void;
  /** Hears that this Redis may throw records away to make room. */
  readonly onEviction: () => void;
}

/**
 * Replay records in Redis: one `SET NX PX` a use, those of all requests of one turn of the event
 * loop in one round trip (RFC 9449 §11.1).
 *
 * A Redis that comes back empty, or as another process (after a restart, or after a fail-over to a
 * copy that lagged), may have forgotten uses. A marker beside the records holds the process
 * (`run_id`) that keeps them, and since when. Where it is missing or names another process, records
 * are complete only from now on, and whatever could have been used before is refused until it is
 * too old: StoreUnavailable.
 */
export function redisReplay(options: RedisReplayOptions): ReplayStore & {
  readonly wasUsed: WasUsed;
  ping(): Promise<void>;
  /** Proves that records can be written. */
  checkWrite(): Promise<void>;
  close(): void;
} {
  const { url, clock, redisClock, installation, clockTolerance, onError, onLoss, onEviction } =
    options;
  const redis = connectRedis(url, 1000, onError);
  const redisTime = databaseClock(clock);
  const measure = () =>
    redisTime.measuredBy(async () => {
      const [seconds] = await redis.time();
      return { databaseTime: redisClock?.() ?? Number(seconds) * 1000 };
    });
  const marker = `holdfast:${installation}:replay-since`;
  let { first } = options;
  let runId: string | undefined;
  redis.on('close', () => (runId = undefined));
  redis.on('ready', () => {
    greet().catch((error: Error) => {
      onError(error);
      // Who did not hear which process keeps the records asks again, on a new connection.
      redis.disconnect(true);
    });
  });

  const greet = async () => {
    const [server, memory, cluster] = await Promise.all([
      redis.info('server'),
      redis.info('memory'),
      redis.info('cluster'),
      measure(),
    ]);
    checkNoCluster(cluster);
    const [, process] = /^run_id:(\w+)/m.exec(server) ?? [];
    if (/^maxmemory:[1-9]/m.test(memory) && !/^maxmemory_policy:noeviction/m.test(memory))
      onEviction();
    // On the very first start the marker is there before the first use, so that its absence always
    // means a loss.
    if (first && process !== undefined) await redis.set(marker, `0:${process}`, 'NX');
    first = false;
    runId = process;
  };

  /** Seconds since the epoch from which on the records are complete, by what the marker says. */
  const completeSince = async (found: unknown, process: string): Promise<number> => {
    const [, since, keeper] = /^(\d+):(\w+)$/.exec(String(found)) ?? [];
    if (since !== undefined && keeper === process) return Number(since);
    // A replica whose clock is ahead of this one may have accepted what is dated later.
    const from = Math.ceil(Math.max(clock(), redisTime.now()) / 1000) + clockTolerance;
    await redis.set(marker, `${from}:${process}`);
    onLoss();
    return from;
  };

  const mark = batched<readonly SingleUse[], readonly boolean[] | 'lost'>(async (requests) => {
    try {
      const process = runId;
      if (process === undefined) throw new Error('Redis is not connected');
      const pipeline = redis.pipeline();
      // The longer span of two. By our clock: were that of Redis ahead, the record could be gone
      // before the proof expires. By that of Redis: were ours ahead, the other replicas would
      // accept the proof later. The margin is for replicas behind both.
      const now = Math.min(clock(), redisTime.now());
      for (const { key, expiresAt } of requests.flat())
        pipeline.set(
          `holdfast:${installation}:replay:${key}`,
          '1',
          'PX',
          Math.max(Math.ceil(expiresAt * 1000 - now), 0) + clockMargin * 1000,
          'NX',
        );
      // The marker comes last: were all forgotten after it had been read, what was used before
      // could be marked once more.
      const answers = ((await pipeline.get(marker).exec()) ?? []).map(([error, answer]) => {
        if (error !== null) throw error;
        return answer;
      });
      if (answers.length !== requests.flat().length + 1)
        throw new Error('Redis left a command unanswered');
      const since = await completeSince(answers.at(-1), process);
      let next = 0;
      return requests.map((uses) => {
        const marked = uses.map(() => answers[next++] === 'OK');
        return uses.some(({ acceptableFrom }) => acceptableFrom < since) ? 'lost' : marked;
      });
    } catch (cause) {
      throw new StoreUnavailable('replay', cause);
    }
  });
  return {
    async markUsed(uses) {
      const marked = await mark(uses);
      if (marked === 'lost')
        throw new StoreUnavailable('replay', new Error('replay records of that time were lost'));
      return marked;
    },
    async wasUsed({ key }: SingleUse) {
      try {
        return (await redis.exists(`holdfast:${installation}:replay:${key}`)) === 1;
      } catch (cause) {
        throw new StoreUnavailable('replay', cause);
      }
    },
    async ping() {
      await measure();
      if (runId === undefined) throw new Error('Redis has not said yet which process it is');
    },
    async checkWrite() {
      if (redis.status !== 'ready')
        await once(redis, 'ready', { signal: AbortSignal.timeout(1000) });
      await redis.set(`holdfast:${installation}:write-check`, '1', 'PX', 60_000);
    },
    close: () => redis.disconnect(),
  };
}
