import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../../domain/clock.ts';
import type { Measurements } from '../../ports/measurements.ts';
import type { SharedSecretStore } from '../../ports/signing-key-store.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** The configuration of Redis. */
export type RedisConfig = Pick<
  Config,
  'redisUrl' | 'clockTolerance' | 'rateLimitPerClient' | 'rateLimitPerAddress'
>;

/** What a connection to Redis needs besides its configuration. */
export interface RedisSurroundings {
  readonly database: Database;
  readonly secrets: SharedSecretStore;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly databaseClock?: Clock | undefined;
  readonly measured?: Measurements | undefined;
}

/** Opens the replay records and the counters in Redis, if the configuration names one. */
export async function openRedis(
  { redisUrl: url, clockTolerance, rateLimitPerClient, rateLimitPerAddress }: RedisConfig,
  { database, secrets, logger, clock, databaseClock: redisClock, measured }: RedisSurroundings,
) {
  if (url === undefined) return {};
  const installed = {
    url,
    onError: unreachableLog(logger),
    ...(await installationOf(secrets, database)),
  };
  const limited = (rateLimitPerClient ?? rateLimitPerAddress) !== undefined;
  // Loaded only if there is a Redis: a start without one is faster and smaller.
  const redis = (await import('./redis-replay.ts')).redisReplay({
    ...installed,
    clock,
    redisClock,
    clockTolerance,
    measured,
    onLoss: () =>
      logger.error(
        'Redis has lost replay records: what could have been used before is refused until it is too old',
      ),
    onEviction: () =>
      logger.error(
        'this Redis may evict replay records, so that a proof could count twice: nothing that counts once is accepted until you set its maxmemory-policy to noeviction',
      ),
  });
  return {
    redis,
    counters: limited ? (await import('./redis-counters.ts')).redisCounters(installed) : undefined,
  };
}

/** Logs that Redis cannot be reached, at most once a minute, however often a connection fails. */
function unreachableLog(logger: Logger): (error: Error) => void {
  let quietUntil = 0;
  return (error) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + 60_000;
    const { code } = error as NodeJS.ErrnoException;
    logger.warn(`Redis (REDIS_URL) cannot be reached: ${error.message || code || error.name}`);
  };
}

/** The name of this installation in a shared Redis, and whether it is new. */
async function installationOf(
  secrets: SharedSecretStore,
  database: Database,
): Promise<{ readonly installation: string; readonly first: boolean }> {
  const name = 'redis_installation';
  const known = await secrets.getSecret(name);
  if (known !== undefined) return { installation: known, first: false };
  // If records were kept in the database until now, Redis lacks them.
  const first = (await orStoreUnavailable(() => database.replayRecord.findFirst())) === null;
  return {
    installation: await secrets.putSecretOnce(name, randomBytes(16).toString('base64url')),
    first,
  };
}
