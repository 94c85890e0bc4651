import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../../config/config.ts';
import { TooManyRequests } from '../../domain/oauth-error.ts';
import type { CountClient } from '../../protocol/client-authentication/instrumented-authentication.ts';
import { clientAddress } from '../request/client-address.ts';

/** Counters shared by all replicas; without them each process counts by itself. */
export interface SharedCounters {
  readonly redis: unknown;
  readonly prefix: string;
}

/** Maximum counters of one process, so that strangers cannot fill the memory. */
const maxCounters = 50_000;

/**
 * Limits the requests of an address per minute before anything is read, and returns the function
 * that counts clients if they are limited. If the counters are unavailable nothing is limited,
 * because replay records, not counts, protect what must not happen twice.
 * @param free unlimited routes: documents and health checks, which are cheap and which everybody
 * needs
 */
export async function rateLimits(
  app: FastifyInstance,
  {
    rateLimitPerClient,
    rateLimitPerAddress,
    trustedProxies,
  }: Pick<Config, 'rateLimitPerClient' | 'rateLimitPerAddress' | 'trustedProxies'>,
  shared: SharedCounters | undefined,
  free: readonly string[],
): Promise<CountClient | undefined> {
  if (rateLimitPerClient === undefined && rateLimitPerAddress === undefined) return undefined;
  // Loaded only if something is limited.
  await app.register((await import('@fastify/rate-limit')).default, {
    global: false,
    timeWindow: 60_000,
    skipOnError: false,
    ...(shared !== undefined && { redis: shared.redis, nameSpace: shared.prefix }),
  });
  const uncounted = reportUncounted(app.log);
  const limit = (max: number, by: 'client' | 'address') => {
    // The counter reads only the key of a request.
    const keyGenerator = (request: FastifyRequest) =>
      (request as unknown as { readonly key: string }).key;
    const options = { max, cache: maxCounters, keyGenerator };
    const check = app.createRateLimit(options);
    return async (key: string) => {
      const counted = await check({
        key: `${by}:${key}`,
        routeOptions: {},
      } as unknown as FastifyRequest).then(uncounted.counted, uncounted.failed);
      if (counted === undefined) return;
      if (!counted.isAllowed && counted.isExceeded)
        throw new TooManyRequests(by, Math.max(counted.ttlInSeconds, 1));
    };
  };
  if (rateLimitPerAddress !== undefined) {
    const count = limit(rateLimitPerAddress, 'address');
    const addressOf = clientAddress(trustedProxies);
    app.addHook('onRequest', async (request) => {
      if (!free.includes(request.routeOptions.url ?? '')) await count(addressOf(request.raw));
    });
  }
  return rateLimitPerClient === undefined ? undefined : limit(rateLimitPerClient, 'client');
}

/** Milliseconds between two reports that counting fails. */
const reportInterval = 10_000;

/** Logs when counting fails, at most once in 10 s, and when it works again. */
function reportUncounted(log: FastifyBaseLogger) {
  let failing = false;
  let reportedAt = Number.NEGATIVE_INFINITY;
  return {
    counted<Counted>(counted: Counted): Counted {
      if (failing) log.info('requests are counted again: rate limits are in force');
      failing = false;
      return counted;
    },
    failed(err: unknown): undefined {
      const now = performance.now();
      if (failing || now - reportedAt < reportInterval) return;
      log.error(
        { err },
        'requests cannot be counted: rate limits are not enforced until counting works again',
      );
      [failing, reportedAt] = [true, now];
    },
  };
}
