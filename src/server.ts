import { once } from 'node:events';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyListenOptions } from 'fastify';
import type { Logger } from 'pino';
import { unregisteredKeys } from './access-token/unregistered-keys.ts';
import type { AdminServerOptions } from './admin-server.ts';
import { authorizationServer } from './authorization-server.ts';
import type { Config } from './config.ts';
import { credentialUseRecorder } from './credential-use.ts';
import { firstStartText, prepareSecrets, startText } from './first-start.ts';
import { type HousekeepingJob, housekeeping } from './housekeeping.ts';
import { loadedOnDemand } from './http/loaded-on-demand.ts';
import type { TlsListener } from './http/tls-listener.ts';
import type { Clock, Ports, RandomId } from './ports.ts';
import { dpopNonceSecrets } from './possession/dpop-nonce-secrets.ts';
import { readAgain } from './read-again.ts';
import { refusals } from './refusals.ts';
import { registeredKeys } from './registered-keys.ts';
import { jwkSetFetcher } from './remote-jwks/fetch.ts';
import { remoteJwks } from './remote-jwks/remote-jwks.ts';
import { noSiblings, type Siblings } from './siblings.ts';
import { type SigningKeys, signingKeys } from './signing-keys/signing-keys.ts';
import { openStores } from './store/stores.ts';

/** What a process gives the server. */
export interface ServerOptions {
  readonly clock: Clock;
  /** In place of the database's own, for a test that sets it. */
  readonly databaseClock?: Clock;
  readonly randomId: RandomId;
  readonly logger: Logger;
  /** Writes to the operator's terminal; the admin token passes here once and never through the log. */
  readonly print: (text: string) => void;
  readonly siblings?: Siblings;
}

/** A running server. */
export interface RunningServer {
  readonly publicPort: number;
  readonly adminPort: number;
  /** Readiness fails first, requests in flight finish, then the stores close. */
  stop(): Promise<void>;
}

/** Milliseconds between two readings of the signing keys and of the secrets of the nonces, which another replica may have added to. */
const keyRefreshInterval = 1000;

/** Opens stores, keys and listeners in the order in which they need one another. Throws a sentence for the operator when it cannot. */
export async function startServer(
  config: Config,
  { clock, databaseClock, randomId, logger, print, siblings = noSiblings }: ServerOptions,
): Promise<RunningServer> {
  const stores = await openStores(config, { logger, clock, databaseClock, siblings });
  try {
    const secrets = await prepareSecrets(config, stores);
    const nonceSecrets = await dpopNonceSecrets({ ...stores, ...config, encryption: secrets.encryption, clock, changed: siblings.tell });
    // Without any tolerance, too, another replica publishes a new key only when it has read it.
    const margin = Math.max(config.clockTolerance, 5);
    const keys = await signingKeys({
      store: stores.signingKeys,
      encryption: secrets.encryption,
      clock,
      rotationInterval: config.signingKeyRotationInterval * 1000,
      scheduledAnnouncement: config.signingKeyAnnouncement * 1000,
      announcement: (config.jwksMaxAge + margin) * 1000,
      published: (Math.max(config.accessTokenMaxLifetime, config.statusListMaxAge) + margin) * 1000,
      changed: siblings.tell,
    });
    await keys.ensure('ES256');
    siblings.onTold(async () => {
      stores.forget();
      await keys.refresh();
      await nonceSecrets.refresh();
    });

    const uses = credentialUseRecorder(stores.credentialUses, clock);
    let stopping = false;
    const ports: Ports = {
      clock,
      randomId,
      replay: stores.replay,
      issuances: stores.issuances,
      clients: stores.clients,
      currentClients: stores.currentClients,
      resourceServers: stores.resourceServers,
      pairings: stores.pairings,
      audit: stores.audit,
      issuedTokens: stores.issuedTokens,
      credentialUses: stores.credentialUses,
      noteUse: uses.note,
      trustedIssuers: stores.trustedIssuers,
      withdrawnHolders: stores.withdrawnHolders,
      fetchJwks: remoteJwks({ fetch: jwkSetFetcher({ allowPrivateAddresses: config.jwksUriAllowPrivateAddresses }), clock }),
    };
    const health = { database: stores.pingDatabase, replay: stores.pingReplay, signing_keys: async () => checkKeys(keys) };
    const refused = refusals(stores.audit, stores);
    const publicApp = await authorizationServer({
      refusals: refused,
      config,
      ports,
      signingKeys: keys,
      statusLists: stores.statusLists,
      nonceSecrets: nonceSecrets.current,
      health,
      stopping: () => stopping,
      ...(stores.counters !== undefined && { counters: stores.counters }),
      logger,
    });
    const adminOptions: AdminServerOptions = {
      issuer: config.issuer,
      clients: stores.clients,
      clientRegistrations: stores.clients,
      auditLog: stores.audit,
      issuedTokens: stores.issuedTokens,
      resourceServers: stores.resourceServers,
      pairings: stores.pairings,
      trustedIssuers: stores.trustedIssuers,
      credentialUses: stores.credentialUses,
      clock,
      randomId,
      verifyAdminToken: secrets.verifyAdminToken,
      signingKeys: keys,
      ensureSigningKey: keys.ensure,
      nonceSecrets,
      keyEncryption: { encryption: secrets.encryption, signingKeys: stores.signingKeys, secrets: stores.secrets, changes: stores.keyEncryption },
      maxAccessTokenLifetime: config.accessTokenMaxLifetime,
      logger,
    };
    const admin = loadedOnDemand(async () => (await import('./admin-server.ts')).adminServer(adminOptions), logger);
    // Each process with a socket of its own: one that dies takes no connections along that others could serve. Elsewhere than on Linux, node:cluster shares them.
    const reusePort = siblings !== noSiblings && process.platform === 'linux';
    await publicApp.listen({ host: config.host, port: config.port, reusePort } as FastifyListenOptions);
    const tls = config.tls === undefined ? undefined : await listenTls(publicApp, { ...config.tls, reusePort }, config.tlsClientCaFile, logger);
    admin.listen({ host: config.adminHost, port: config.adminPort, reusePort });
    await once(admin, 'listening');

    const stopReading = readAgain(
      [
        { name: 'signing keys', read: keys.refresh },
        { name: 'secrets of the DPoP nonces', read: nonceSecrets.refresh },
      ],
      keyRefreshInterval,
      logger,
    );
    const revokeUnregistered = unregisteredKeys({
      ...stores,
      clients: stores.currentClients,
      keys: registeredKeys(ports.fetchJwks),
      tokenLifetime: config.accessTokenMaxLifetime,
    });
    const again = (jobs: readonly HousekeepingJob[]) => housekeeping({ jobs, clock, logger, interval: config.housekeepingInterval * 1000 });
    // Apart, for it waits for the servers of clients.
    const stopWatchingKeys = again([{ name: 'unregistered_keys', run: async (now) => revokeUnregistered(now).then(() => false) }]);
    const stopHousekeeping = again([
      { name: 'credential_uses', run: uses.flush },
      ...stores.expired.map(({ name, remove }) => ({ name, run: remove })),
      {
        name: 'refusals',
        async run() {
          await refused.flush();
          return false;
        },
      },
    ]);
    const adminPort = portOf(admin);
    print(secrets.newAdminToken === undefined ? startText(config, adminPort) : firstStartText(config, adminPort, secrets.newAdminToken));

    return {
      publicPort: portOf(publicApp.server),
      adminPort,
      async stop() {
        tls?.stopWatching();
        stopping = true;
        stopReading();
        await sleep(config.shutdownDelayMs);
        await Promise.race([
          Promise.all([publicApp.close(), closed(admin).then(admin.unload), closed(tls), stopHousekeeping(), stopWatchingKeys()]),
          sleep(config.shutdownTimeoutMs),
        ]);
        // What was counted since the last round.
        await refused.flush().catch((err: unknown) => logger.warn({ err }, 'counts of refusals are lost'));
        await uses.flushAll().catch((err: unknown) => logger.warn({ err }, 'the last uses of credentials are lost'));
        await stores.close();
      },
    };
  } catch (error) {
    await stores.close();
    throw error;
  }
}

/** As last read: that the database is away is said of the database. */
function checkKeys(keys: SigningKeys): void {
  const missing = keys.missing();
  if (missing.length > 0) throw new Error(`no signing key for ${missing.join(', ')}`);
}

async function listenTls(
  app: FastifyInstance,
  tls: NonNullable<Config['tls']> & { readonly reusePort: boolean },
  clientCaFile: string | undefined,
  logger: Logger,
): Promise<TlsListener> {
  const { tlsListener } = await import('./http/tls-listener.ts');
  const server = tlsListener(app, { ...tls, ...(clientCaFile !== undefined && { clientCaFile }) }, logger);
  server.listen({ port: tls.port, host: tls.host, reusePort: tls.reusePort });
  await once(server, 'listening');
  return server;
}

/** New connections are refused, idle ones closed, and requests in flight answered. */
async function closed(server: Server | undefined): Promise<void> {
  if (server === undefined) return;
  server.close();
  server.closeIdleConnections();
  await once(server, 'close');
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
