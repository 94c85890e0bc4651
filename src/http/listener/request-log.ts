import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Measurements, RequestFields } from '../../ports/measurements.ts';
import { atRequestEnd } from '../request/request-end.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * What the request's one log line says besides method, route and status: identifiers and
     * reasons, never a credential.
     */
    logFields?: RequestFields;
  }
}

/**
 * One log line a request, also for one whose connection broke: that has `aborted`, and no status
 * unless an answer was on its way.
 * The route pattern stands for the URL, because a query may hold what a client put there by
 * mistake.
 */
export function logRequests(app: FastifyInstance, measured?: Pick<Measurements, 'request'>): void {
  app.decorateRequest('logFields');
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    // Fastify's own end of a request does not come when the connection breaks first.
    atRequestEnd(reply.raw, () => logRequest(request, reply, measured));
    done();
  });
}

function logRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  measured?: Pick<Measurements, 'request'>,
): void {
  const { headersSent, writableFinished } = reply.raw;
  const route = request.routeOptions.url ?? 'unknown';
  const took = reply.elapsedTime;
  const fields = {
    reqId: request.id,
    method: request.method,
    route,
    ...(headersSent && { status: reply.statusCode }),
    ms: Math.round(took * 10) / 10,
    ...(!writableFinished && { aborted: true }),
    ...request.logFields,
  };
  request.log.info(fields, 'request');
  measured?.request({
    route,
    ...(headersSent && { status: reply.statusCode }),
    seconds: took / 1000,
    fields: request.logFields ?? {},
  });
}
