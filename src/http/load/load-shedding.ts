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
    /** The place of this request among those that are worked on. */
    place?: Place;
  }
}

/**
 * Milliseconds for which the work for a connection that is gone may go on in its place. Every store
 * and every server that is asked answers or fails sooner.
 */
const longestAfterwards = 10_000;

/**
 * Milliseconds of refusing everything after which a server is no longer ready. Work in progress
 * frees places sooner, however slow the store is.
 */
const longestRefusing = 5000;

/** The state of load shedding. */
export interface LoadShedding {
  /** Throws when every request has been refused for some seconds. */
  readonly check: () => Promise<void>;
  /** Requests that have a place, how many may, milliseconds of refusing them all. */
  readonly places: () => { underWay: number; limit: number; refusingFor: number };
}

/**
 * Refuses work beyond what can be done in time by 503 and `Retry-After`, before anything is done
 * for the request: refusing costs next to nothing. What is accepted begins in the order in which it
 * came, few a turn of the event loop while there are many.
 *
 * A place is held for as long as the server works: from the whole body to the answer, and not until
 * the client has taken that, which it need not do. When the connection breaks, work that has begun
 * keeps its place to its end, for it costs as much as any other; or whoever breaks connections
 * could have any amount of it done at once.
 * @param max requests at once; `target` milliseconds that one should be under way on average; `now`
 * monotonic milliseconds; `measured` hears of what is refused unread; `isWork` says which methods
 * do work, for the others are answered from memory
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
  // A request counts only when its whole body is here: one who sends slowly holds no place.
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
      // Nobody is there to take an answer, and nothing has been used up for it.
      if (request.raw.socket.destroyed) place.giveBack();
      else {
        atRequestEnd(reply.raw, () => {
          if (!reply.raw.headersSent) setTimeout(place.giveBack, longestAfterwards).unref();
        });
        inPlace(place, done);
      }
    });
  });
  // The answer is there. This comes for a connection that broke, too.
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

/** One log line a second, not one a refusal: the log must not become the load. */
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
