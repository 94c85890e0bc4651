import type { Redis } from 'ioredis';
import type { Clock } from '../../domain/clock.ts';
import type { DatabaseClock } from '../../domain/database-clock.ts';
import type { Measurements } from '../../ports/measurements.ts';
import { checkNoCluster } from './connect-redis.ts';

export interface RedisReplayOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Replaces the clock of Redis in a test. */
  readonly redisClock?: Clock | undefined;
  /** The name, kept in the database, of this installation among those that share the Redis. */
  readonly installation: string;
  /** True: nothing was marked as used before this start, so no Redis can have forgotten it. */
  readonly first: boolean;
  /** Seconds by which the clocks of two replicas may differ. */
  readonly clockTolerance: number;
  /** Receives the errors of lost connections; the client reconnects for ever. */
  readonly onError: (error: Error) => void;
  /** Called when records were lost. */
  readonly onLoss: () => void;
  /** Called when this Redis is found to evict records if its memory is full. */
  readonly onEviction: () => void;
  readonly measured?: Measurements | undefined;
}

/** Knows which Redis process keeps the replay records, and since when they are complete. */
export interface ReplayMarker {
  /** The key of the marker. */
  readonly key: string;
  /** The `run_id` of the process; undefined while there is no connection. */
  process(): string | undefined;
  /** Whether Redis could evict records when it was last asked, so that nothing may be marked. */
  mayEvict(): boolean;
  /** Asks Redis whether it may evict records. */
  checkEviction(): Promise<void>;
  /** Seconds since the epoch from which the records are complete, according to the marker. */
  completeSince(found: unknown, process: string): Promise<number>;
}

/** Keeps the marker beside the replay records; `measure` is called on every new connection. */
export function replayMarker(
  redis: Redis,
  redisTime: DatabaseClock,
  measure: () => Promise<unknown>,
  options: RedisReplayOptions,
): ReplayMarker {
  const { clock, installation, clockTolerance, onError, onLoss, onEviction, measured } = options;
  const key = `holdfast:${installation}:replay-since`;
  let { first } = options;
  let runId: string | undefined;
  let mayEvict = false;
  redis.on('close', () => (runId = undefined));
  redis.on('ready', () => {
    greet().catch((error: Error) => {
      onError(error);
      // Reconnect and ask again which process keeps the records.
      redis.disconnect(true);
    });
  });

  const greet = async () => {
    const [server, cluster] = await Promise.all([
      redis.info('server'),
      redis.info('cluster'),
      measure(),
    ]);
    checkNoCluster(cluster);
    const [, process] = /^run_id:(\w+)/m.exec(server) ?? [];
    // On the very first start the marker is set before the first use, so that its absence always
    // means a loss.
    if (first && process !== undefined) await redis.set(key, `0:${process}`, 'NX');
    first = false;
    await checkEviction();
    runId = process;
  };
  const checkEviction = async () => {
    const memory = await redis.info('memory');
    const may = /^maxmemory:[1-9]/m.test(memory) && !/^maxmemory_policy:noeviction/m.test(memory);
    measured?.redisMayEvict(may);
    if (may && !mayEvict) onEviction();
    if (may || mayEvict) {
      // Records may be missing, so they are complete only from the end of this on. Until the marker
      // is removed nothing is accepted.
      mayEvict = true;
      await redis.del(key);
    }
    mayEvict = may;
  };
  return {
    key,
    process: () => runId,
    mayEvict: () => mayEvict,
    checkEviction,
    async completeSince(found, process) {
      const [, since, keeper] = /^(\d+):(\w+)$/.exec(String(found)) ?? [];
      if (since !== undefined && keeper === process) return Number(since);
      // A replica whose clock is ahead of this one may have accepted later uses.
      const from = Math.ceil(Math.max(clock(), redisTime.now()) / 1000) + clockTolerance;
      await redis.set(key, `${from}:${process}`);
      onLoss();
      return from;
    },
  };
}
