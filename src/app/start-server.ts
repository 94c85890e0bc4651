import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import { openListeners } from '../http/listener/listeners.ts';
import { credentialUseRecorder } from '../observability/credential-use.ts';
import { metrics } from '../observability/metrics.ts';
import { timedStep } from '../observability/observed-steps.ts';
import { refusals } from '../observability/refusals.ts';
import { noPeers, type Peers } from '../ports/peers.ts';
import type { RandomId } from '../ports/ports.ts';
import type { Tracing } from '../ports/tracing.ts';
import { openStores } from '../store/stores.ts';
import { adminOptions, type Opened } from './admin-options.ts';
import type { AdminServerOptions } from './admin-server.ts';
import { authorizationServer } from './authorization-server.ts';
import { backgroundJobs } from './background-jobs.ts';
import { serverScrape } from './collected-series.ts';
import { prepareSecrets } from './first-start.ts';
import type { GatewayServerOptions } from './gateway-server.ts';
import { openAuditSink, requireAuditSink } from './open-audit-sink.ts';
import { protocolPorts } from './protocol-ports.ts';
import { readiness } from './readiness.ts';
import { serverKeys } from './server-keys.ts';
import { firstStartText, startText } from './start-text.ts';
import { stopServer } from './stop-server.ts';

/** What a process provides to the server. */
export interface ServerOptions {
  readonly clock: Clock;
  /** Replaces the database's clock in tests. */
  readonly databaseClock?: Clock;
  readonly randomId: RandomId;
  readonly logger: Logger;
  /** Prints for the operator; the text may be logged. */
  readonly print: (text: string) => void;
  /** Whether output is a terminal, which may show the admin token of a first start. */
  readonly terminal?: boolean;
  readonly peers?: Peers;
}

/** A running server. */
export interface RunningServer {
  readonly publicPort: number;
  readonly adminPort: number;
  /** 0: metrics have no separate listener. */
  readonly metricsPort: number;
  /** 0: there is no listener for gateways, or it is a socket. */
  readonly gatewayPort: number;
  /** Fails readiness first, lets requests in flight finish, then closes the stores. */
  stop(): Promise<void>;
}

/**
 * Opens stores, keys and listeners in order of dependency. Throws a sentence for the operator on
 * failure.
 */
export async function startServer(config: Config, options: ServerOptions): Promise<RunningServer> {
  const { clock, databaseClock, logger, peers = noPeers } = options;
  requireAuditSink(config);
  await checkTlsFiles(config, clock(), logger);
  const measured = metrics({ byClient: config.metricsByClient });
  const stores = await openStores(config, { logger, clock, databaseClock, peers, measured });
  try {
    const secrets = await prepareSecrets(config, stores);
    const { encryption } = secrets;
    const keys = await serverKeys({ ...stores, config, encryption, clock, peers });
    peers.onInvalidation(async () => {
      stores.forget();
      await keys.signingKeys.refresh();
      await keys.gatewayKeys.refresh();
      await keys.nonceSecrets.refresh();
    });
    return await serve(config, options, { stores, secrets, keys, measured });
  } catch (error) {
    await stores.close();
    throw error;
  }
}

async function serve(
  config: Config,
  options: ServerOptions,
  opened: Opened,
): Promise<RunningServer> {
  const { clock, randomId, logger, print, terminal = false, peers = noPeers } = options;
  const { stores, secrets, keys, measured } = opened;
  const tracing = await openTracing(config, logger);
  const uses = credentialUseRecorder(stores.credentialUses, clock);
  const ports = protocolPorts(config, stores, { clock, randomId, noteUse: uses.note });
  const ready = readiness({ ...stores, keys: [keys.signingKeys, keys.gatewayKeys] });
  const common = { config, ports, refusals: refusals(stores.audit, stores), measured, logger };
  const sink = openAuditSink(config, { ...stores, clock, randomId, logger });
  const scrape = serverScrape(
    measured,
    { ...stores, ...keys, config, clock, health: ready.checks, sink },
    peers,
  );
  let isStopping = false;
  const stopping = () => isStopping;
  const publicApp = await authorizationServer({
    ...common,
    signingKeys: keys.signingKeys,
    gatewayKeys: keys.gatewayKeys,
    statusLists: stores.statusLists,
    nonceSecrets: keys.nonceSecrets.current,
    health: ready.checks,
    stopping,
    tracing,
    observeStep: timedStep(measured.step, tracing),
    ...(stores.counters !== undefined && { counters: stores.counters }),
  });
  const gatewayApp = await gatewayListener({ ...common, tracing, stopping }, opened);
  const admin = adminOptions(config, { ...opened, ...common, scrape, tracing });
  await applyDeclared(config, admin);
  const listeners = await openListeners({
    config,
    publicApp,
    gatewayApp,
    loadAdmin: async () => (await import('./admin-server.ts')).adminServer(admin),
    scrape,
    // With a socket per process, a process that dies drops no connections that others could serve.
    // Except on Linux, node:cluster shares the sockets.
    reusePort: peers !== noPeers && process.platform === 'linux',
    stopping,
    logger,
  });
  const { publicPort, adminPort, metricsPort, gatewayPort } = listeners;
  const stopWriting = ready.start();
  const work = backgroundJobs({ ...stores, ...keys, ...common, uses });
  print(
    secrets.newAdminToken === undefined
      ? startText(config, adminPort, secrets.adminTokenFile)
      : firstStartText(config, adminPort, secrets.newAdminToken, terminal),
  );
  const running = { ...common, listeners, work, stopWriting, uses, sink, stores };
  return {
    publicPort,
    adminPort,
    metricsPort,
    gatewayPort,
    async stop() {
      listeners.stopWatching();
      isStopping = true;
      await stopServer(running);
      await tracing?.stop();
    },
  };
}

/** Applies CONFIG_FILE before tokens can be requested. */
async function applyDeclared(
  { configurationFile }: Config,
  admin: AdminServerOptions,
): Promise<void> {
  if (configurationFile === undefined) return;
  const { applyConfigurationFile } = await import('./configuration-file.ts');
  await applyConfigurationFile(configurationFile, admin);
}

/** Refuses TLS files that cannot be used, and warns about dates; loaded only if there are any. */
async function checkTlsFiles(config: Config, now: number, logger: Logger): Promise<void> {
  if ((config.tls ?? config.adminTls ?? config.tlsClientCaFile) === undefined) return;
  (await import('./tls-files.ts')).requireTlsFiles(config, now, logger);
}

/** Loads tracing only if a collector is configured. */
async function openTracing({ traces }: Config, logger: Logger): Promise<Tracing | undefined> {
  if (traces === undefined) return undefined;
  return (await import('../observability/tracing.ts')).openTelemetry(traces, logger);
}

async function gatewayListener(
  common: Pick<
    GatewayServerOptions,
    'config' | 'ports' | 'refusals' | 'measured' | 'tracing' | 'logger' | 'stopping'
  >,
  { keys }: Opened,
): Promise<FastifyInstance | undefined> {
  const { gateway } = common.config;
  if (gateway === undefined) return undefined;
  const { gatewayServer } = await import('./gateway-server.ts');
  return gatewayServer({
    ...common,
    ...keys,
    gateway,
    nonceSecrets: keys.nonceSecrets.current,
  });
}
