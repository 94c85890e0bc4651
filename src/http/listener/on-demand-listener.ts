import type { Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { answerUnparsable } from '../request/message-framing.ts';
import { answerHalfClosed, boundConnections, inactivity, serverLimits } from './server-limits.ts';

// An import of `node:http` reads each of its exports, and one of them loads Node's whole `fetch`.
const { createServer } = process.getBuiltinModule('node:http');

/** A listener whose routes are loaded with its first request. */
export type DemandedListener = Server & {
  /** Closes what was loaded; the server itself is closed like any other. */
  readonly unload: () => Promise<void>;
};

/**
 * Listens at once and loads the routes when somebody asks for one: a start, and a replica that no
 * operator ever speaks to, carries neither their schemas nor their validators. A load that fails is
 * logged, answered with 500, and tried again by the next request.
 */
export function loadedOnDemand(
  load: () => Promise<FastifyInstance>,
  logger: Logger,
): DemandedListener {
  let loaded: Promise<FastifyInstance> | undefined;
  const ready = async () => {
    const app = await load();
    await app.ready();
    return app;
  };
  const server = createServer(serverLimits, (request, response) => {
    loaded ??= ready();
    loaded.then(
      (app) => app.routing(request, response),
      (err: unknown) => {
        loaded = undefined;
        logger.error({ err }, 'routes not loaded');
        response
          .writeHead(500, { 'content-type': 'application/problem+json', connection: 'close' })
          .end('{"title":"Internal Server Error","status":500}');
      },
    );
  });
  server.setTimeout(inactivity);
  server.on('clientError', answerUnparsable);
  boundConnections(server);
  answerHalfClosed(server);
  return Object.assign(server, {
    unload: async () => (await loaded?.catch(() => undefined))?.close(),
  });
}
