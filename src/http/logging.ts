import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's one log line says besides method, route and status: identifiers and reasons, never a credential. */
    logFields?: Readonly<Record<string, string>>;
  }
}

/** One log line a request. The route pattern stands for the URL, because a query may hold what a client put there by mistake. */
export function logRequests(app: FastifyInstance): void {
  app.decorateRequest('logFields');
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const fields = {
      reqId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ...request.logFields,
    };
    request.log.info(fields, 'request');
    done();
  });
}
