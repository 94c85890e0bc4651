import { defined } from '../domain/defined.ts';
import type { EnvironmentReader } from './environment.ts';
import type { VariableName } from './variable-names.ts';

/** Settings of the processes. Times in seconds unless a name says otherwise. */
export interface OperationConfig {
  readonly logLevel: string;
  /** Processes that serve on this machine. */
  readonly workers: number;
  /** Seconds that audit events are kept. */
  readonly auditRetention: number;
  readonly cleanupInterval: number;
  readonly maxConcurrentRequests: number;
  readonly targetLatencyMs: number;
  /** Requests per minute. */
  readonly rateLimitPerClient?: number;
  readonly rateLimitPerAddress?: number;
  /** Whether metrics of token requests name the client. */
  readonly metricsByClient: boolean;
  /** Where traces are sent, and the sampled share of traces that begin here, from 0 to 1. */
  readonly traces?: { readonly endpoint: string; readonly share: number };
  readonly shutdownDelayMs: number;
  readonly shutdownTimeoutMs: number;
  /** The directory of trust bundle files. */
  readonly trustBundleDirectory?: string;
  /** The proxy for outgoing requests, and the hosts reached directly. */
  readonly egressProxy?: { readonly url: string; readonly except: readonly string[] };
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Reads the variables of the processes. */
export function readOperationConfig(read: EnvironmentReader): OperationConfig {
  const { integer } = read;
  return {
    logLevel: read.oneOf('LOG_LEVEL', logLevels, 'info'),
    workers: integer('WORKERS', 1, 1, 256),
    auditRetention: integer('AUDIT_RETENTION', 400 * 86_400, 604_800, 999_999_999),
    cleanupInterval: integer('CLEANUP_INTERVAL', 10, 1, 3600),
    maxConcurrentRequests: integer('MAX_CONCURRENT_REQUESTS', 512, 1, 100_000),
    targetLatencyMs: integer('TARGET_LATENCY_MS', 100, 5, 10_000),
    ...readRateLimits(read),
    metricsByClient: read.flag('METRICS_CLIENT_ID', false),
    ...readTraces(read),
    ...readEgress(read),
    shutdownDelayMs: integer('SHUTDOWN_DELAY_MS', 0, 0, 60_000),
    shutdownTimeoutMs: integer('SHUTDOWN_TIMEOUT_MS', 10_000, 0, 600_000),
  };
}

function readTraces(read: EnvironmentReader): Pick<OperationConfig, 'traces'> {
  const endpoint = read.text('OTEL_EXPORTER_OTLP_ENDPOINT');
  const share = read.matching(
    'OTEL_TRACES_SAMPLER_ARG',
    /^(0(\.\d{1,9})?|1(\.0{1,9})?)$/,
    'a number from 0 to 1',
  );
  if (endpoint === undefined) return {};
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    read.faults.push('OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL without a query');
  return { traces: { endpoint: endpoint.replace(/\/+$/, ''), share: Number(share ?? 1) } };
}

function readRateLimits(
  read: EnvironmentReader,
): Pick<OperationConfig, 'rateLimitPerClient' | 'rateLimitPerAddress'> {
  const limit = (name: VariableName) =>
    read.text(name) === undefined ? undefined : read.integer(name, 0, 1, 999_999_999);
  return defined({
    rateLimitPerClient: limit('RATE_LIMIT_PER_CLIENT'),
    rateLimitPerAddress: limit('RATE_LIMIT_PER_ADDRESS'),
  });
}

function readEgress(
  read: EnvironmentReader,
): Pick<OperationConfig, 'trustBundleDirectory' | 'egressProxy'> {
  const trustBundleDirectory = read.text('TRUST_BUNDLE_DIRECTORY');
  const url = read.matching('HTTPS_PROXY', /^https?:\/\/[^\s/?#]+\/?$/, 'an http or https URL');
  const except = read.text('NO_PROXY')?.split(/[ ,]+/) ?? [];
  if (url !== undefined && !URL.canParse(url)) read.faults.push('HTTPS_PROXY must be a URL');
  return defined({
    trustBundleDirectory,
    egressProxy: url === undefined ? undefined : { url, except },
  });
}
