import type { Clock } from '../../../src/domain/clock.ts';
import type { SingleUse } from '../../../src/domain/single-use.ts';
import type { ReplayStore } from '../../../src/ports/replay-store.ts';

/**
 * Records of used proofs in the memory of this process: for one process, and until it ends. Only proofs that confirm a valid token are recorded.
 * @param max records; when that many are unexpired, further proofs are refused rather than old ones forgotten
 */
export function memoryReplay({
  max = 100_000,
  clock = Date.now,
}: {
  readonly max?: number;
  readonly clock?: Clock;
} = {}): ReplayStore {
  const used = new Map<string, number>();
  const forgetExpired = (now: number) => {
    // Records expire nearly in the order in which they came, so the first that has not ends the search.
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

/** What is needed of a Redis client; `ioredis` has it. */
export interface RedisClient {
  set(key: string, value: string): Promise<unknown>;
  set(key: string, value: string, nx: 'NX'): Promise<unknown>;
  set(key: string, value: string, px: 'PX', milliseconds: number, nx: 'NX'): Promise<unknown>;
  get(key: string): Promise<string | null>;
  info(section: string): Promise<string>;
}

/** How records in Redis are kept. */
export interface RedisReplayOptions {
  /** Before every key; another one for every resource server. Default: `holdfast:rs:`. */
  readonly prefix?: string;
  readonly clock?: Clock;
  /** Seconds by which the clocks of two processes may differ. Default: 30. */
  readonly clockTolerance?: number;
  /** True: this may be the first start, so that a Redis without records has not lost any. Asked once in a process. Default: false. */
  readonly first?: boolean;
  /** Invalidated that Redis has lost records. */
  readonly onLoss?: () => void;
}

/**
 * Records of used proofs in Redis, for any number of processes that share it: one `SET NX PX` a use.
 *
 * A Redis that comes back empty, or as another process (restarted, failed over to a copy that lagged), may have forgotten uses. A marker beside the
 * records holds the process (`run_id`) that keeps them, and since when. Where it is missing or names another process, records are complete only from
 * now on, and what could have been used before is refused until it is too old: `markUsed` throws.
 */
export function redisReplay(
  redis: RedisClient,
  {
    prefix = 'holdfast:rs:',
    clock = Date.now,
    clockTolerance = 30,
    first = false,
    onLoss = () => undefined,
  }: RedisReplayOptions = {},
): ReplayStore {
  const marker = `${prefix}replay-since`;
  let begun: Promise<unknown> | undefined;
  // On the very first start the marker is there before the first use, so that its absence always means a loss.
  const begin = async () => {
    if (first) await redis.set(marker, `0:${processOf(await redis.info('server'))}`, 'NX');
  };
  const mark = async ({ key, expiresAt }: SingleUse) =>
    // A span, not a moment, and a minute more: the clock of Redis, or of another process, may differ from ours.
    (await redis.set(
      prefix + key,
      '1',
      'PX',
      Math.max(Math.ceil(expiresAt * 1000 - clock()), 0) + 60_000,
      'NX',
    )) === 'OK';

  /** Seconds since the epoch from which on the records are complete. */
  const completeSince = async (found: string | null, server: string): Promise<number> => {
    const process = processOf(server);
    const [, since, keeper] = /^(\d+):(\w+)$/.exec(found ?? '') ?? [];
    if (since !== undefined && keeper === process) return Number(since);
    // Another process, whose clock is ahead of this one, may have accepted what is dated later.
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
      // In this order on one connection: were all forgotten after the marker had been read, what was used before could be marked once more.
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

function processOf(info: string): string {
  const [, process] = /^run_id:(\w+)/m.exec(info) ?? [];
  if (process === undefined) throw new Error('Redis does not say which process it is');
  return process;
}
