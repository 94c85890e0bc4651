import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RefusalReason } from '../../domain/refusal-reasons.ts';
import { atRequestEnd } from '../request/request-end.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * What the request's one log line says besides method, route and status: identifiers and
     * reasons, never a credential.
     */
    logFields?: Readonly<Record<string, string>> & { readonly reason?: RefusalReason };
  }
}

/**
 * One log line a request, also for one whose connection broke: that has `aborted`, and no status
 * unless an answer was on its way.
 * The route pattern stands for the URL, because a query may hold what a client put there by
 * mistake.
 */
export function logRequests(app: FastifyInstance): void {
  app.decorateRequest('logFields');
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    // Fastify's own end of a request does not come when the connection breaks first.
    atRequestEnd(reply.raw, () => logRequest(request, reply));
    done();
  });
}

function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { headersSent, writableFinished } = reply.raw;
  const fields = {
    reqId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    ...(headersSent && { status: reply.statusCode }),
    ms: Math.round(reply.elapsedTime * 10) / 10,
    ...(!writableFinished && { aborted: true }),
    ...request.logFields,
  };
  request.log.info(fields, 'request');
}
