import type { Logger } from 'pino';
import type { Clock } from './clock.ts';

export interface ClockDifferenceOptions {
  readonly clock: Clock;
  /** The database's time, in seconds since the epoch. */
  readonly databaseSeconds: () => Promise<number>;
  readonly logger: Logger;
}

/** Seconds of difference above which an error is logged. */
const tolerated = 60;

/**
 * Compares this machine's clock with the database's and logs an error, once per deviation. A
 * replica with a wrong clock refuses valid proofs and accepts what others consider expired.
 */
export function clockDifference({ clock, databaseSeconds, logger }: ClockDifferenceOptions) {
  let reported = false;
  return async (): Promise<void> => {
    const database = await databaseSeconds();
    const seconds = Math.round(clock() / 1000 - database);
    const isLarge = Math.abs(seconds) > tolerated;
    const direction = seconds > 0 ? 'ahead of' : 'behind';
    if (isLarge && !reported)
      logger.error(
        { seconds },
        `the clock of this machine is ${Math.abs(seconds)} s ${direction} the database's: ` +
          'synchronize it with NTP',
      );
    reported = isLarge;
  };
}
