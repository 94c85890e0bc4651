import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { FastifyInstance, FastifyListenOptions } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { boundHalfSentHeaders } from '../load/half-sent-headers.ts';
import { closeWhenStopping, closingIdle, quiet } from './drain.ts';
import { type AnswerScrape, metricsListener } from './metrics-listener.ts';
import { loadedOnDemand } from './on-demand-listener.ts';
import type { TlsListener } from './reloading-tls.ts';
import { removeStaleSocket } from './stale-socket.ts';

/** What the listeners serve, and where. */
export interface ListenersOptions {
  readonly config: Pick<
    Config,
    | 'host'
    | 'port'
    | 'tls'
    | 'tlsClientCaFile'
    | 'adminHost'
    | 'adminPort'
    | 'adminTls'
    | 'metrics'
    | 'gateway'
  >;
  /** The public routes, over plain HTTP and, if there is a certificate, over TLS. */
  readonly publicApp: FastifyInstance;
  /** Loads the routes of the admin listener at their first request. */
  readonly loadAdmin: () => Promise<FastifyInstance>;
  /** Answers on the metrics listener, if there is one. */
  readonly scrape: AnswerScrape;
  /** The routes for gateways, if there is a listener for them. */
  readonly gatewayApp: FastifyInstance | undefined;
  /** Whether each process has its own sockets on the same ports. */
  readonly reusePort: boolean;
  /** Whether readiness already fails; every answer is then the last one on its connection. */
  readonly stopping: () => boolean;
  readonly logger: Logger;
}

/** Listeners that accept connections. */
export interface Listeners {
  /** 0: no plain listener. */
  readonly publicPort: number;
  readonly adminPort: number;
  /** 0: metrics have no separate listener. */
  readonly metricsPort: number;
  /** 0: there is no listener for gateways, or it is a socket. */
  readonly gatewayPort: number;
  /** Stops watching certificate files. */
  stopWatching(): void;
  /**
   * Accepts connections until none is waiting, for at most `patience` milliseconds. Then it refuses
   * new ones, closes idle ones and answers requests in flight.
   */
  close(patience: number): Promise<void>;
}

/**
 * Opens the public listener, those of TLS and of gateways if configured, and the admin listener, in
 * this order. Throws what `listen` throws.
 */
export async function openListeners({
  config,
  publicApp,
  gatewayApp,
  loadAdmin,
  scrape,
  reusePort,
  stopping,
  logger,
}: ListenersOptions): Promise<Listeners> {
  const admin = await loadedOnDemand(loadAdmin, logger, config.adminTls);
  const { host, port } = config;
  if (port === undefined) await publicApp.ready();
  else await publicApp.listen({ host, port, reusePort } as FastifyListenOptions);
  const tls =
    config.tls === undefined
      ? undefined
      : await listenTls(publicApp, { ...config.tls, reusePort }, config.tlsClientCaFile, logger);
  if (gatewayApp !== undefined && config.gateway !== undefined) {
    const { listen } = config.gateway;
    if ('path' in listen) await removeStaleSocket(listen.path);
    // Workers share a Unix socket through the process that supervises them.
    const options = 'path' in listen ? listen : { ...listen, reusePort };
    await gatewayApp.listen(options as FastifyListenOptions);
    // Set regardless of the umask, because write access to the socket permits sending requests.
    if ('path' in listen) chmodSync(listen.path, 0o660);
    closeWhenStopping(gatewayApp.server, stopping);
    boundHalfSentHeaders(gatewayApp.server, 'connection', logger);
  }
  closeWhenStopping(publicApp.server, stopping);
  closeWhenStopping(admin, stopping);
  boundHalfSentHeaders(publicApp.server, 'connection', logger);
  const opened = config.adminTls === undefined ? 'connection' : 'secureConnection';
  boundHalfSentHeaders(admin, opened, logger);
  if (tls !== undefined) boundHalfSentHeaders(tls, 'secureConnection', logger);
  admin.listen({ host: config.adminHost, port: config.adminPort, reusePort });
  await once(admin, 'listening');
  const metrics = config.metrics && metricsListener(scrape, logger);
  if (metrics !== undefined) {
    metrics.listen({ ...config.metrics, reusePort });
    await once(metrics, 'listening');
  }
  return {
    publicPort: portOf(publicApp.server),
    adminPort: portOf(admin),
    metricsPort: metrics === undefined ? 0 : portOf(metrics),
    gatewayPort: gatewayApp === undefined ? 0 : portOf(gatewayApp.server),
    stopWatching() {
      tls?.stopWatching();
      admin.stopWatching();
    },
    async close(patience) {
      const servers = [publicApp.server, gatewayApp?.server, admin, tls, metrics].filter(
        (server) => server !== undefined,
      );
      await quiet(servers, patience);
      // Close all of them in this turn.
      const all = servers.map(closed);
      const stop = closingIdle(servers);
      await Promise.all(all);
      stop();
      await Promise.all([publicApp.close(), gatewayApp?.close(), admin.unload()]);
    },
  };
}

async function listenTls(
  app: FastifyInstance,
  tls: NonNullable<Config['tls']> & { readonly reusePort: boolean },
  clientCaFile: string | undefined,
  logger: Logger,
): Promise<TlsListener> {
  // Loaded only if there is a certificate: a start without one is faster and smaller.
  const { tlsListener } = await import('./tls-listener.ts');
  const server = tlsListener(
    app,
    { ...tls, ...(clientCaFile !== undefined && { clientCaFile }) },
    logger,
  );
  server.listen({ port: tls.port, host: tls.host, reusePort: tls.reusePort });
  await once(server, 'listening');
  return server;
}

/**
 * Closes a server and waits for its connections. The `close` of `node:http` ends the checks for
 * late headers and requests immediately: one silent client would hold up the stop.
 */
async function closed(server: Server): Promise<void> {
  NetServer.prototype.close.call(server);
  await once(server, 'close');
  server.close();
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
