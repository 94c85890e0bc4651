import type { Clock } from '../../../src/domain/clock.ts';
import type { SingleUse } from '../../../src/domain/single-use.ts';
import type { ReplayStore } from '../../../src/ports/replay-store.ts';
import {
  callback,
  checkOptions,
  count,
  flag,
  isMembers,
  must,
  optional,
  seconds,
  text,
} from '../../client/src/option-checks.ts';

interface MemoryReplayOptions {
  readonly max?: number;
  readonly clock?: Clock;
}

/**
 * Records used proofs in memory, for a single process. With `max` unexpired records it refuses
 * further proofs rather than forgetting old ones.
 */
export function memoryReplay(options: MemoryReplayOptions = {}): ReplayStore {
  checkOptions<MemoryReplayOptions>('memoryReplay', options, {
    max: optional(count(1)),
    clock: optional(callback),
  });
  const { max = 100_000, clock = Date.now } = options;
  const used = new Map<string, number>();
  const forgetExpired = (now: number) => {
    // Records expire roughly in order, so the search ends at the first unexpired one.
    for (const [key, expiresAt] of used) {
      if (expiresAt > now) return;
      used.delete(key);
    }
  };
  return {
    async markUsed(uses) {
      forgetExpired(clock() / 1000);
      if (used.size + uses.length > max) throw new Error('the replay store is full');
      return uses.map(({ key, expiresAt }) => {
        if (used.has(key)) return false;
        used.set(key, expiresAt);
        return true;
      });
    },
  };
}

/** The part of a Redis client that is used; `ioredis` has it. */
export interface RedisClient {
  set(key: string, value: string): Promise<unknown>;
  set(key: string, value: string, nx: 'NX'): Promise<unknown>;
  set(key: string, value: string, px: 'PX', milliseconds: number, nx: 'NX'): Promise<unknown>;
  get(key: string): Promise<string | null>;
  info(section: string): Promise<string>;
}

/** Options of the records in Redis. */
export interface RedisReplayOptions {
  /** Prefix of every key; differs between resource servers. Default: `holdfast:rs:`. */
  readonly prefix?: string;
  readonly clock?: Clock;
  /** Seconds by which the clocks of two processes may differ. Default: 30. */
  readonly clockTolerance?: number;
  /** True on a first start, when a Redis without records has lost none. Default: false. */
  readonly first?: boolean;
  /** Called when Redis has lost records. */
  readonly onLoss?: () => void;
}

/**
 * Records used proofs in Redis, for any number of processes, by one `SET NX PX` per use.
 *
 * A Redis that restarted or failed over may have lost records. A marker names the Redis process
 * (`run_id`) and the time from which its records are complete. If it is missing or names another
 * process, `markUsed` throws for every proof that could have been used before.
 */
export function redisReplay(redis: RedisClient, options: RedisReplayOptions = {}): ReplayStore {
  checkRedisReplay(redis, options);
  const {
    prefix = 'holdfast:rs:',
    clock = Date.now,
    clockTolerance = 30,
    first = false,
    onLoss = () => undefined,
  } = options;
  const marker = `${prefix}replay-since`;
  let begun: Promise<unknown> | undefined;
  // Written before the first use, so that a missing marker always means a loss.
  const begin = async () => {
    if (first) await redis.set(marker, `0:${processOf(await redis.info('server'))}`, 'NX');
  };
  const mark = async ({ key, expiresAt }: SingleUse) =>
    // A duration plus a minute, because the clocks of Redis and other processes may differ.
    (await redis.set(
      prefix + key,
      '1',
      'PX',
      Math.max(Math.ceil(expiresAt * 1000 - clock()), 0) + 60_000,
      'NX',
    )) === 'OK';

  /** The time from which the records are complete, in seconds since the epoch. */
  const completeSince = async (found: string | null, server: string): Promise<number> => {
    const process = processOf(server);
    const [, since, keeper] = /^(\d+):(\w+)$/.exec(found ?? '') ?? [];
    if (since !== undefined && keeper === process) return Number(since);
    // A process whose clock is ahead may have accepted proofs dated later.
    const from = Math.ceil(clock() / 1000) + clockTolerance;
    await redis.set(marker, `${from}:${process}`);
    onLoss();
    return from;
  };

  return {
    async markUsed(uses) {
      begun ??= begin().catch((error: unknown) => {
        begun = undefined;
        throw error;
      });
      await begun;
      // Marks come before the marker is read, so that a loss in between is noticed.
      const marks = uses.map(mark);
      const [found, server, ...marked] = await Promise.all([
        redis.get(marker),
        redis.info('server'),
        ...marks,
      ]);
      const since = await completeSince(found, server);
      if (uses.some(({ acceptableFrom }) => acceptableFrom < since))
        throw new Error('records of used proofs of that time were lost');
      return marked;
    },
  };
}

function checkRedisReplay(redis: unknown, options: unknown): void {
  const isClient = (value: unknown) =>
    isMembers(value) && ['set', 'get', 'info'].every((name) => typeof value[name] === 'function');
  const client = must('a client such as ioredis, with the functions set, get and info', isClient);
  client('redisReplay: redis', redis);
  checkOptions<RedisReplayOptions>('redisReplay', options, {
    prefix: optional(text),
    clock: optional(callback),
    clockTolerance: optional(seconds()),
    first: optional(flag),
    onLoss: optional(callback),
  });
}

function processOf(info: string): string {
  const [, process] = /^run_id:(\w+)/m.exec(info) ?? [];
  if (process === undefined) throw new Error('Redis does not say which process it is');
  return process;
}
