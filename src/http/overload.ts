import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { type Admission, admission } from './admission.ts';
import { shortTurns } from './short-turns.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Monotonic milliseconds since when this request holds a place; 0: it holds none. */
    placeSince: number;
  }
}

/** The answer to what there is no place for; a refused client may try again after a second. */
const body = JSON.stringify({
  error: 'temporarily_unavailable',
  error_description: 'the server cannot answer now, try again',
});
const fields = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'retry-after': '1',
  'content-length': body.length,
};

/**
 * Refuses work beyond what can be done in time by 503 and `Retry-After`, before anything is done for the request: refusing costs next to nothing.
 * What is accepted begins in the order in which it came, few a turn of the event loop while there are many.
 * @param max requests at once; `target` milliseconds that one should be under way on average
 */
export function refuseOverload(
  app: FastifyInstance,
  max: number,
  target: number,
  logger: Logger,
): void {
  const places = admission(max, target, () => performance.now());
  const inTurn = shortTurns(places.crowded);
  const refusing = countingRefusals(places, logger);
  const handlers = app.server.listeners('request') as ((
    request: IncomingMessage,
    response: ServerResponse,
  ) => void)[];
  app.server.removeAllListeners('request').on('request', (request, response) => {
    if (request.method !== 'POST' || places.open())
      for (const handle of handlers) handle(request, response);
    else {
      refusing();
      response.writeHead(503, fields).end(body);
    }
  });
  app.decorateRequest('placeSince', 0);
  // A request counts only when its whole body is here: one who sends slowly holds no place.
  app.addHook('preHandler', (request, reply, done) => {
    if (request.method !== 'POST') return done();
    if (!places.open()) {
      request.logFields = { error: 'temporarily_unavailable', reason: 'overloaded' };
      void reply.code(503).headers(fields).send(body);
      return;
    }
    places.begin();
    request.placeSince = performance.now();
    inTurn(done);
  });
  // Runs for a connection that broke too.
  app.addHook('onResponse', (request, _reply, done) => {
    const { placeSince } = request;
    if (placeSince > 0) {
      request.placeSince = 0;
      places.end(performance.now() - placeSince);
    }
    done();
  });
}

/** One log line a second, not one a refusal: under overload the log must not become the load. */
function countingRefusals(places: Admission, logger: Logger): () => void {
  let refused = 0;
  const tell = () => {
    logger.warn({ refused, limit: places.limit() }, 'overloaded: requests are refused');
    refused = 0;
  };
  return () => {
    if (refused++ === 0) setTimeout(tell, 1000).unref();
  };
}
