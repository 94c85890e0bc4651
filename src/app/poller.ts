import type { Logger } from 'pino';
import { KeyEncryptionError } from '../keys/key-encryption.ts';

/** What a poller reads for changes that another replica made. */
export interface PolledReading {
  readonly name: string;
  read(): Promise<void>;
}

/**
 * Reads each every `interval` milliseconds; returns a function that stops it. A missing
 * key-encryption key, which only the operator can supply, is logged as an error once until it is
 * there. Other failures pass by themselves, and reach whoever needs the reading meanwhile.
 */
export function poller(
  readings: readonly PolledReading[],
  interval: number,
  logger: Logger,
): () => void {
  const said = new Set<PolledReading>();
  const readOnce = async (reading: PolledReading) => {
    try {
      await reading.read();
      said.delete(reading);
    } catch (err) {
      const isNew = err instanceof KeyEncryptionError && !said.has(reading);
      logger[isNew ? 'error' : 'debug']({ err }, `${reading.name} not refreshed`);
      if (isNew) said.add(reading);
    }
  };
  const timer = setInterval(() => {
    for (const reading of readings) void readOnce(reading);
  }, interval);
  return () => clearInterval(timer);
}
