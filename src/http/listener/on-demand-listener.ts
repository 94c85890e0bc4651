import type { RequestListener, Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { answerUnparsable } from '../request/message-framing.ts';
import type { CertificateFiles } from './reloading-tls.ts';
import { answerHalfClosed, boundConnections, inactivity, serverLimits } from './server-limits.ts';

// An import of `node:http` reads each of its exports, and one of them loads Node's whole `fetch`.
const { createServer } = process.getBuiltinModule('node:http');

/** A listener whose routes are loaded at its first request. */
export type DemandedListener = Server & {
  /** Closes what was loaded; the server itself is closed like any other. */
  readonly unload: () => Promise<void>;
  /** Stops watching certificate files. */
  readonly stopWatching: () => void;
};

/**
 * Listens immediately and loads the routes at the first request, so that a start, and a replica
 * that no operator uses, loads neither schemas nor validators. A failed load is logged, answered
 * with 500, and retried by the next request.
 * @param certificate if given, it speaks only TLS
 */
export async function loadedOnDemand(
  load: () => Promise<FastifyInstance>,
  logger: Logger,
  certificate?: CertificateFiles,
): Promise<DemandedListener> {
  let loaded: Promise<FastifyInstance> | undefined;
  const ready = async () => {
    const app = await load();
    await app.ready();
    return app;
  };
  const answer: RequestListener = (request, response) => {
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
  };
  const unload = async () => (await loaded?.catch(() => undefined))?.close();
  if (certificate !== undefined) {
    // Loaded only if there is a certificate: a start without one is faster and smaller.
    const server = (await import('./reloading-tls.ts')).reloadingTls(certificate, answer, logger);
    return Object.assign(server, { unload });
  }
  const server = createServer(serverLimits, answer);
  server.setTimeout(inactivity);
  server.on('clientError', answerUnparsable);
  boundConnections(server);
  answerHalfClosed(server);
  return Object.assign(server, { unload, stopWatching: () => undefined });
}
