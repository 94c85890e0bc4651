import {
  type Aggregator,
  Counter,
  collectDefaultMetrics,
  Gauge,
  type Metric,
  Registry,
} from 'prom-client';
import type { Measurements } from '../ports/measurements.ts';
import { jobSeries } from './job-series.ts';
import { quickHistogram } from './quick-histogram.ts';
import { durations, type MakeCounter, requestSeries } from './request-series.ts';
import { worstProcess } from './worst-process.ts';

/** Buckets for the offset of `iat`, in seconds, in both directions. */
const offsets = [-300, -60, -30, -10, -5, -2, -1, 0, 1, 2, 5, 10, 30, 60, 300];

/** The state of load shedding. */
export interface Places {
  readonly underWay: number;
  readonly limit: number;
  /** Milliseconds for which every request has been refused. */
  readonly refusingFor: number;
}

/** The measurements of one process. */
export interface Metrics extends Measurements {
  readonly registry: Registry;
  /** Sets the source of the load-shedding state. */
  places(read: () => Places): void;
}

/**
 * The series of one process, summed over the processes of a machine. Labels have closed sets of
 * values; `client_id`, which has not, is a label only if the operator asks for it.
 */
export function metrics({ byClient = false }: { readonly byClient?: boolean } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  for (const metric of processSeries()) registry.registerMetric(metric);
  worstProcess(registry);
  new Gauge({ name: 'holdfast_workers', help: 'Processes that serve.', registers }).set(1);
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const step = quickHistogram(registry, {
    name: 'holdfast_token_step_seconds',
    help: 'Seconds of each step of the token endpoint.',
    label: 'step',
    buckets: durations,
  });
  const offset = quickHistogram(registry, {
    name: 'holdfast_proof_iat_offset_seconds',
    help: 'Seconds by which iat of a DPoP proof is ahead of the clock of this server.',
    buckets: offsets,
  });
  const shed = counter(
    'holdfast_shed_requests_total',
    'Requests refused for lack of a place, before they were read.',
  );
  shed.inc(0);
  return {
    registry,
    request: requestSeries(registry, counter, byClient),
    shed: () => shed.inc(),
    step,
    proofOffset: (seconds) => offset('', seconds),
    places: (read) => placeGauges(registry, read),
    ...storeSeries(registry, counter),
    ...jobSeries(registry, counter),
  };
}

let ofProcess: Registry | undefined;

/** The series of the process itself; made once, because their observers cannot be ended. */
function processSeries(): readonly Metric[] {
  if (ofProcess === undefined) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess.getMetricsAsArray() as unknown as readonly Metric[];
}

function placeGauges(registry: Registry, read: () => Places): void {
  const gauge = (name: string, help: string, value: () => number, aggregator: Aggregator = 'sum') =>
    new Gauge({
      name,
      help,
      aggregator,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  gauge('holdfast_requests_in_progress', 'Requests that have a place.', () => read().underWay);
  gauge('holdfast_places', 'Requests that may be worked on at once.', () => read().limit);
  gauge(
    'holdfast_refusing_seconds',
    'Seconds for which every request has been refused, by the process that does so longest.',
    () => read().refusingFor / 1000,
    'max',
  );
}

function storeSeries(registry: Registry, counter: MakeCounter) {
  const seconds = quickHistogram(registry, {
    name: 'holdfast_store_seconds',
    help: 'Seconds of each question to the database or Redis.',
    label: 'store',
    buckets: durations,
  });
  const errors = counter(
    'holdfast_store_errors_total',
    'Questions that the database or Redis did not answer.',
    'store',
  );
  for (const store of ['database', 'redis']) errors.inc({ store }, 0);
  const evicts = new Gauge({
    name: 'holdfast_redis_may_evict',
    help: '1: this Redis may throw replay records away, so nothing that counts once is accepted.',
    aggregator: 'max',
    registers: [registry],
  });
  return {
    store(store: 'database' | 'redis', took: number, failed: boolean) {
      seconds(store, took);
      if (failed) errors.inc({ store });
    },
    redisMayEvict: (may: boolean) => evicts.set(may ? 1 : 0),
  };
}
