import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Measurements } from '../../ports/measurements.ts';
import { atRequestEnd } from '../request/request-end.ts';
import { type ConcurrencyLimit, concurrencyLimit, type Place } from './concurrency-limit.ts';
import { eventLoopYield } from './event-loop-yield.ts';
import { shedBody, shedFields } from './shed-answer.ts';
import { inPlace } from './waiting-elsewhere.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The place of this request among those in progress. */
    place?: Place;
  }
}

/**
 * Milliseconds for which the work for a broken connection may keep its place. Every store and
 * server responds or fails sooner.
 */
const longestAfterwards = 10_000;

/**
 * Milliseconds of refusing everything after which a server is no longer ready. Work in progress
 * frees places sooner, however slow the store is.
 */
const longestRefusing = 5000;

/** The state of load shedding. */
export interface LoadShedding {
  /** Throws if every request has been refused for some seconds. */
  readonly check: () => Promise<void>;
  /** Requests with a place, the maximum of these, and milliseconds of refusing all. */
  readonly places: () => { underWay: number; limit: number; refusingFor: number };
}

/**
 * Refuses work that cannot be done in time with 503 and `Retry-After` before doing anything for the
 * request, which costs next to nothing. Accepted work begins in order of arrival, a few requests
 * per turn of the event loop under heavy load.
 *
 * A place is held while the server works: from the complete body to the answer, but not until the
 * client has received it. If the connection breaks, work in progress keeps its place until it is
 * done; otherwise breaking connections would allow any amount of concurrent work.
 * @param max requests in progress; `target` average milliseconds that one should take; `now`
 * monotonic milliseconds; `measured` counts what is refused unread; `isWork` says which methods do
 * work, because others are answered from memory
 */
export function shedLoad(
  app: FastifyInstance,
  max: number,
  target: number,
  logger: Logger,
  now: () => number = () => performance.now(),
  measured?: Pick<Measurements, 'shed'>,
  isWork: (method: string | undefined) => boolean = (method) => method === 'POST',
): LoadShedding {
  const places = concurrencyLimit(max, target, now);
  const inTurn = eventLoopYield(places.crowded);
  const refusing = countingRefusals(places, logger);
  const handlers = app.server.listeners('request') as ((
    request: IncomingMessage,
    response: ServerResponse,
  ) => void)[];
  app.server.removeAllListeners('request').on('request', (request, response) => {
    if (!isWork(request.method) || places.open())
      for (const handle of handlers) handle(request, response);
    else {
      refusing();
      measured?.shed();
      response.writeHead(503, shedFields).end(shedBody);
    }
  });
  app.decorateRequest('place');
  // A request counts only when its whole body has arrived, so a slow sender holds no place.
  app.addHook('preHandler', (request, reply, done) => {
    if (!isWork(request.method)) return done();
    const place = places.take();
    if (place === undefined) {
      request.logFields = { error: 'temporarily_unavailable', reason: 'load_shed' };
      void reply.code(503).headers(shedFields).send(shedBody);
      return;
    }
    request.place = place;
    inTurn(() => {
      // Nobody can receive an answer, and nothing has been used up for it.
      if (request.raw.socket.destroyed) place.giveBack();
      else {
        atRequestEnd(reply.raw, () => {
          if (!reply.raw.headersSent) setTimeout(place.giveBack, longestAfterwards).unref();
        });
        inPlace(place, done);
      }
    });
  });
  // The answer is ready. This hook also runs for a broken connection.
  app.addHook('onSend', (request, _reply, payload, done) => {
    request.place?.giveBack();
    done(null, payload);
  });
  return {
    check: async () => {
      if (places.refusingFor() > longestRefusing) throw new Error('all requests are refused');
    },
    places: () => ({
      underWay: places.underWay(),
      limit: places.limit(),
      refusingFor: places.refusingFor(),
    }),
  };
}

/** One log line per second, not per refusal, so that the log does not become the load. */
function countingRefusals(places: ConcurrencyLimit, logger: Logger): () => void {
  let refused = 0;
  const tell = () => {
    logger.warn({ refused, limit: places.limit() }, 'load shedding: requests are refused');
    refused = 0;
  };
  return () => {
    if (refused++ === 0) setTimeout(tell, 1000).unref();
  };
}
