import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import { openListeners } from '../http/listener/listeners.ts';
import { waitingElsewhere } from '../http/load/waiting-elsewhere.ts';
import { credentialUseRecorder } from '../observability/credential-use.ts';
import { refusals } from '../observability/refusals.ts';
import { noPeers, type Peers } from '../ports/peers.ts';
import type { Ports, RandomId } from '../ports/ports.ts';
import { allowedAddresses } from '../protocol/client-keys/remote-jwks/address.ts';
import { jwkSetFetcher } from '../protocol/client-keys/remote-jwks/fetch.ts';
import { remoteJwks } from '../protocol/client-keys/remote-jwks/remote-jwks.ts';
import { mayBeFetched } from '../protocol/client-keys/remote-jwks/target.ts';
import { openStores } from '../store/stores.ts';
import type { AdminServerOptions } from './admin-server.ts';
import { authorizationServer } from './authorization-server.ts';
import { backgroundJobs } from './background-jobs.ts';
import { firstStartText, prepareSecrets, startText } from './first-start.ts';
import { readiness } from './readiness.ts';
import { serverKeys } from './server-keys.ts';

/** What a process gives the server. */
export interface ServerOptions {
  readonly clock: Clock;
  /** In place of the database's own, for a test that sets it. */
  readonly databaseClock?: Clock;
  readonly randomId: RandomId;
  readonly logger: Logger;
  /** Writes for the operator; what it writes may go where the log goes. */
  readonly print: (text: string) => void;
  /** Whether that is a terminal, which may show the admin token of a first start. */
  readonly terminal?: boolean;
  readonly peers?: Peers;
}

/** A running server. */
export interface RunningServer {
  readonly publicPort: number;
  readonly adminPort: number;
  /** Readiness fails first, requests in flight finish, then the stores close. */
  stop(): Promise<void>;
}

/**
 * Opens stores, keys and listeners in the order in which they need one another. Throws a sentence
 * for the operator when it cannot.
 */
export async function startServer(
  config: Config,
  {
    clock,
    databaseClock,
    randomId,
    logger,
    print,
    terminal = false,
    peers = noPeers,
  }: ServerOptions,
): Promise<RunningServer> {
  const stores = await openStores(config, { logger, clock, databaseClock, peers });
  try {
    const secrets = await prepareSecrets(config, stores);
    const { signingKeys, nonceSecrets } = await serverKeys({
      ...stores,
      config,
      encryption: secrets.encryption,
      clock,
      peers,
    });
    peers.onInvalidation(async () => {
      stores.forget();
      await signingKeys.refresh();
      await nonceSecrets.refresh();
    });

    const uses = credentialUseRecorder(stores.credentialUses, clock);
    let stopping = false;
    const ports: Ports = {
      clock,
      randomId,
      replay: stores.replay,
      wasUsed: stores.wasUsed,
      issuances: stores.issuances,
      clients: stores.clients,
      currentClients: stores.currentClients,
      resourceServers: stores.resourceServers,
      currentResourceServers: stores.currentResourceServers,
      pairings: stores.pairings,
      audit: stores.audit,
      issuedTokens: stores.issuedTokens,
      credentialUses: stores.credentialUses,
      noteUse: uses.note,
      trustedIssuers: stores.trustedIssuers,
      withdrawnHolders: stores.withdrawnHolders,
      remoteJwkSets: remoteJwks({
        fetch: jwkSetFetcher({ allowPrivateAddresses: config.jwksUriAllowPrivateAddresses }),
        clock,
        waitingElsewhere,
      }),
    };
    const ready = readiness({ ...stores, signingKeys });
    const refused = refusals(stores.audit, stores);
    const publicApp = await authorizationServer({
      refusals: refused,
      config,
      ports,
      signingKeys,
      statusLists: stores.statusLists,
      nonceSecrets: nonceSecrets.current,
      health: ready.checks,
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
      mayBeFetched: (uri) =>
        mayBeFetched(uri, allowedAddresses(config.jwksUriAllowPrivateAddresses)),
      clock,
      randomId,
      verifyAdminToken: secrets.verifyAdminToken,
      signingKeys,
      ensureSigningKey: signingKeys.ensure,
      nonceSecrets,
      keyEncryption: {
        encryption: secrets.encryption,
        signingKeys: stores.signingKeys,
        secrets: stores.secrets,
        changes: stores.keyEncryption,
      },
      maxAccessTokenLifetime: config.accessTokenMaxLifetime,
      logger,
    };
    // Each process with a socket of its own: one that dies takes no connections along that others
    // could serve. Elsewhere than on Linux, node:cluster shares them.
    const reusePort = peers !== noPeers && process.platform === 'linux';
    const listeners = await openListeners({
      config,
      publicApp,
      loadAdmin: async () => (await import('./admin-server.ts')).adminServer(adminOptions),
      reusePort,
      stopping: () => stopping,
      logger,
    });
    const { publicPort, adminPort } = listeners;
    const stopWriting = ready.start();
    const work = backgroundJobs({
      ...stores,
      config,
      ports,
      signingKeys,
      nonceSecrets,
      uses,
      refusals: refused,
      logger,
    });
    print(
      secrets.newAdminToken === undefined
        ? startText(config, adminPort)
        : firstStartText(config, adminPort, secrets.newAdminToken, terminal),
    );

    return {
      publicPort,
      adminPort,
      async stop() {
        listeners.stopWatching();
        stopping = true;
        work.stopRefreshing();
        await sleep(config.shutdownDelayMs);
        await Promise.race([
          Promise.all([listeners.close(config.shutdownTimeoutMs / 2), work.stopJobs()]),
          sleep(config.shutdownTimeoutMs),
        ]);
        stopWriting();
        // What was counted since the last round.
        await refused
          .flush()
          .catch((err: unknown) => logger.warn({ err }, 'counts of refusals are lost'));
        await uses
          .flushAll()
          .catch((err: unknown) => logger.warn({ err }, 'the last uses of credentials are lost'));
        await stores.close();
      },
    };
  } catch (error) {
    await stores.close();
    throw error;
  }
}
