import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Measurements, RequestFields } from '../../ports/measurements.ts';
import type { RequestSpan, Tracing } from '../../ports/tracing.ts';
import { atRequestEnd } from '../request/request-end.ts';
import { traceParent } from '../request/trace-parent.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Fields of the request's one log line besides method, route and status: identifiers and
     * reasons, never a credential.
     */
    logFields?: RequestFields;
    /** Its span, if traces are sent. */
    span?: RequestSpan;
  }
}

/**
 * Writes one log line per request. If the connection broke, the line has `aborted`, and no status
 * unless an answer was being sent. It has the route pattern, not the URL, because a client may have
 * put a secret into the query.
 */
export function logRequests(
  app: FastifyInstance,
  measured?: Pick<Measurements, 'request'>,
  tracing?: Tracing,
): void {
  app.decorateRequest('logFields');
  app.decorateRequest('span');
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    // Fastify reports no end of a request if the connection breaks first.
    const parent = traceParent(request.raw);
    const span = tracing?.begin(request.method, routeOf(request), parent);
    if (span !== undefined) request.span = span;
    const traceId = span?.traceId ?? parent?.traceId;
    atRequestEnd(reply.raw, () => logRequest(request, reply, traceId, measured));
    done();
  });
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'unknown';
}

function logRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  traceId: string | undefined,
  measured?: Pick<Measurements, 'request'>,
): void {
  const { headersSent, writableFinished } = reply.raw;
  const route = routeOf(request);
  const took = reply.elapsedTime;
  const fields = {
    reqId: request.id,
    method: request.method,
    route,
    ...(headersSent && { status: reply.statusCode }),
    ms: Math.round(took * 10) / 10,
    ...(traceId !== undefined && { trace_id: traceId }),
    ...(!writableFinished && { aborted: true }),
    ...request.logFields,
  };
  request.log.info(fields, 'request');
  request.span?.end(headersSent ? reply.statusCode : undefined, request.logFields ?? {});
  measured?.request({
    method: request.method,
    route,
    ...(headersSent && { status: reply.statusCode }),
    seconds: took / 1000,
    fields: request.logFields ?? {},
  });
}
