import { type Aggregator, Gauge, type Registry } from 'prom-client';
import type { Measurements } from '../ports/measurements.ts';
import type { MakeCounter } from './request-series.ts';

/**
 * The series of background jobs, which every process runs: a failure in one process matters even if
 * the others succeed.
 * @param now milliseconds of a monotonic clock
 */
export function jobSeries(
  registry: Registry,
  counter: MakeCounter,
  now: () => number = () => performance.now(),
): Pick<Measurements, 'job' | 'jobBegins'> {
  const failures = counter(
    'holdfast_job_failures_total',
    'Background jobs that failed.',
    'job_name',
  );
  const aggregator: Aggregator = 'max';
  const ofJob = { labelNames: ['job_name'], aggregator, registers: [registry] };
  const succeeded = new Gauge({
    name: 'holdfast_job_last_success_timestamp_seconds',
    help: 'When each background job succeeded last.',
    ...ofJob,
  });
  const failing = new Gauge({
    name: 'holdfast_job_failing',
    help: '1: the last run of this background job failed.',
    ...ofJob,
  });
  const due = new Map<string, { readonly interval: number; since: number }>();
  new Gauge({
    name: 'holdfast_job_overdue_seconds',
    help: 'Seconds by which each background job is later than its interval.',
    ...ofJob,
    collect() {
      for (const [name, { interval, since }] of due)
        this.set({ job_name: name }, Math.max(0, (now() - since - interval) / 1000));
    },
  });
  return {
    jobBegins: (name, interval) => due.set(name, { interval, since: now() }),
    job(name, failed) {
      // Prometheus uses the label `job` for the target.
      failures.inc({ job_name: name }, failed ? 1 : 0);
      failing.set({ job_name: name }, failed ? 1 : 0);
      if (failed) return;
      succeeded.setToCurrentTime({ job_name: name });
      const found = due.get(name);
      if (found !== undefined) found.since = now();
    },
  };
}
