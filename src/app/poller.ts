import type { Logger } from 'pino';
import { KeyEncryptionError } from '../keys/key-encryption.ts';

/** A reading that a poller repeats to see changes by other replicas. */
export interface PolledReading {
  readonly name: string;
  read(): Promise<void>;
}

/**
 * Repeats each reading every `interval` milliseconds until the returned function is called. A
 * missing key-encryption key, which only the operator can supply, is logged as an error once. Other
 * failures are transient and reach users of the reading.
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
