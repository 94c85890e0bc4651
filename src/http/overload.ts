import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Seconds after which a refused client may try again. */
const retryAfter = '1';

/**
 * Refuses work beyond `max` requests at once with 503 and `Retry-After`, before it costs a signature or a statement.
 * A request counts only when its whole body is here: one who sends slowly holds no place.
 */
export function refuseOverload(app: FastifyInstance, max: number): void {
  const underWay = new WeakSet<FastifyRequest>();
  let count = 0;
  app.addHook('preHandler', (request, reply, done) => {
    if (request.method !== 'POST') return done();
    if (count >= max) {
      request.logFields = { error: 'temporarily_unavailable', reason: 'overloaded' };
      void reply
        .code(503)
        .header('cache-control', 'no-store')
        .header('retry-after', retryAfter)
        .send({ error: 'temporarily_unavailable', error_description: 'the server cannot answer now, try again' });
      return;
    }
    count++;
    underWay.add(request);
    done();
  });
  // Runs for a connection that broke too.
  app.addHook('onResponse', (request, _reply, done) => {
    if (underWay.delete(request)) count--;
    done();
  });
}
