import type { Logger } from 'pino';
import type { Clock } from './ports.ts';

/** What housekeeping works on. */
export interface HousekeepingOptions {
  /** Removes at most `limit` records that expired before `now` (seconds since the epoch) and answers how many. */
  readonly removeExpired: (now: number, limit: number) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds between two runs. */
  readonly interval?: number;
}

/** Records a statement: small enough not to hold up a token request. */
const batch = 500;

/** Removes expired replay records in small batches, again and again. Answers a function that stops it and waits for the batch under way. */
export function housekeeping({ removeExpired, clock, logger, interval = 10_000 }: HousekeepingOptions): () => Promise<void> {
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  const run = async () => {
    try {
      while (!stopped && (await removeExpired(Math.floor(clock() / 1000), batch)) === batch) await new Promise((resolve) => setImmediate(resolve));
    } catch (err) {
      logger.warn({ err }, 'expired replay records were not removed; trying again later');
    }
  };
  const timer = setInterval(() => {
    running = running.then(run);
  }, interval);
  timer.unref();
  return async () => {
    stopped = true;
    clearInterval(timer);
    await running;
  };
}
