import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Listeners } from '../http/listener/listeners.ts';
import type { AuditSink } from '../observability/audit-sink.ts';
import type { CredentialUseRecorder } from '../observability/credential-use.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { BackgroundJobs } from './background-jobs.ts';

/** Parts of a running server that must be stopped. */
export interface RunningParts {
  readonly config: Pick<Config, 'shutdownDelayMs' | 'shutdownTimeoutMs'>;
  readonly listeners: Pick<Listeners, 'close'>;
  readonly work: BackgroundJobs;
  /** Stops the test writes of the readiness check. */
  readonly stopWriting: () => void;
  readonly refusals: Pick<Refusals, 'flush'>;
  /** Sends audit events elsewhere. */
  readonly sink: Pick<AuditSink, 'stop'> | undefined;
  readonly uses: Pick<CredentialUseRecorder, 'flushAll'>;
  readonly stores: { close(): Promise<void> };
  readonly logger: Logger;
}

/** Stops a server that is no longer ready: requests in flight finish, then stores close. */
export async function stopServer(parts: RunningParts): Promise<void> {
  const { config, listeners, work, stopWriting, refusals, uses, sink, stores, logger } = parts;
  work.stopRefreshing();
  await sleep(config.shutdownDelayMs);
  const stopped = new AbortController();
  try {
    await Promise.race([
      Promise.all([
        listeners.close(config.shutdownTimeoutMs / 2),
        work.stopJobs(),
        // Undelivered events are sent after the next start.
        sink?.stop(),
      ]),
      sleep(config.shutdownTimeoutMs, undefined, { signal: stopped.signal }),
    ]);
  } finally {
    // The timer would keep a process alive that runs more than this server.
    stopped.abort();
  }
  stopWriting();
  // Writes the counts since the last round.
  await refusals
    .flush()
    .catch((err: unknown) => logger.warn({ err }, 'counts of refusals are lost'));
  await uses
    .flushAll()
    .catch((err: unknown) => logger.warn({ err }, 'the last uses of credentials are lost'));
  await stores.close();
}
