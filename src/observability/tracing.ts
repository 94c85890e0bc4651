import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { OAuthError } from '../domain/oauth-error.ts';
import type { TraceParent, Tracing } from '../ports/tracing.ts';

/** Milliseconds to export the last spans when stopping. */
const lastExport = 2000;

/**
 * Sends traces by OTLP over HTTP (OTEL_EXPORTER_OTLP_ENDPOINT). Attributes are set one by one: no
 * instrumentation reads requests, which are full of credentials.
 */
export function openTelemetry(
  { endpoint, share }: NonNullable<Config['traces']>,
  logger: Logger,
): Tracing {
  logFaults(logger);
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }),
    scheduledDelayMillis: 1000,
    exportTimeoutMillis: lastExport,
  });
  const provider = new TracerProvider({
    resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('holdfast');
  const current = new AsyncLocalStorage<Context>();
  return {
    begin(method, route, parent) {
      const options = {
        kind: SpanKind.SERVER,
        attributes: { 'http.request.method': method, 'http.route': route },
      };
      const span = tracer.startSpan(`${method} ${route}`, options, contextOf(parent));
      const context = trace.setSpan(ROOT_CONTEXT, span);
      return {
        traceId: span.spanContext().traceId,
        within: (work) => current.run(context, work),
        end(status, fields) {
          endRequest(span, status, fields);
        },
      };
    },
    async step(name, work) {
      const around = current.getStore();
      if (around === undefined) return work();
      const span = tracer.startSpan(name, {}, around);
      try {
        return await current.run(trace.setSpan(around, span), work);
      } catch (fault) {
        fail(span, fault);
        throw fault;
      } finally {
        span.end();
      }
    },
    stop: async () =>
      Promise.race([
        provider.shutdown(),
        new Promise<void>((resolve) => setTimeout(resolve, lastExport).unref()),
      ]),
  };
}

function contextOf(parent: TraceParent | undefined): Context {
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, sampled } = parent;
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** The log fields that may leave the machine. */
const shown = ['grant', 'client_id', 'aud', 'reason', 'active'] as const;

function endRequest(
  span: Span,
  status: number | undefined,
  fields: Readonly<Record<string, string>>,
): void {
  if (status !== undefined) span.setAttribute('http.response.status_code', status);
  for (const name of shown) {
    const value = fields[name];
    if (value !== undefined) span.setAttribute(`holdfast.${name}`, value);
  }
  // A refusal is not a server error (OpenTelemetry's conventions for HTTP spans).
  if (status === undefined || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** Records only the type of a fault, because its text may come from anywhere. */
function fail(span: Span, fault: unknown): void {
  const name = fault instanceof Error ? fault.name : 'unknown';
  span.setAttribute('error.type', fault instanceof OAuthError ? fault.reason : name);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Milliseconds between log lines about an unreachable collector. */
const quiet = 10_000;

function logFaults(logger: Logger): void {
  let last = Number.NEGATIVE_INFINITY;
  const warn = (said: unknown) => {
    if (performance.now() - last < quiet) return;
    last = performance.now();
    logger.warn({ opentelemetry: String(said).slice(0, 300) }, 'traces are not sent');
  };
  const nothing = () => undefined;
  diag.setLogger({ error: warn, warn, info: nothing, debug: nothing, verbose: nothing });
}
