import type { Logger } from 'pino';
import type { Measurements } from '../ports/measurements.ts';

/** One background job. */
export interface BackgroundJob {
  readonly name: string;
  /** Runs at most one small batch and tells whether there may be more. */
  run(): Promise<boolean>;
}

export interface JobRunnerOptions {
  readonly jobs: readonly BackgroundJob[];
  readonly logger: Logger;
  /** Milliseconds between rounds. */
  readonly interval: number;
  readonly measured?: Pick<Measurements, 'job' | 'jobBegins'> | undefined;
}

/**
 * Runs every job repeatedly, each batch in a separate turn of the event loop. Returns a function
 * that stops it and waits for the batch in progress.
 */
export function jobRunner({
  jobs,
  logger,
  interval,
  measured,
}: JobRunnerOptions): () => Promise<void> {
  let stopped = false;
  let running: Promise<void> | undefined;
  const round = async () => {
    for (const { name, run } of jobs) {
      try {
        while (!stopped && (await run())) await new Promise((resolve) => setImmediate(resolve));
        measured?.job(name, false);
      } catch (err) {
        measured?.job(name, true);
        logger.warn({ err, job: name }, 'a background job failed; it will be retried');
      }
    }
    running = undefined;
  };
  for (const { name } of jobs) measured?.jobBegins(name, interval);
  const timer = setInterval(() => {
    running ??= round();
  }, interval);
  timer.unref();
  return async () => {
    stopped = true;
    clearInterval(timer);
    await running;
  };
}
