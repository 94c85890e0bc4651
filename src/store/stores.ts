import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { databaseKind } from '../config/database-url.ts';
import type { Clock } from '../domain/clock.ts';
import type { Measurements } from '../ports/measurements.ts';
import type { Peers } from '../ports/peers.ts';
import { sqlCacheVersion } from './cache/cache-version.ts';
import { cachedClients, cachedResourceServers } from './cache/cached-registries.ts';
import { auditedTransaction } from './connection/audited-transaction.ts';
import { emptyWriteAheadLog, openDatabase, orStoreUnavailable } from './connection/database.ts';
import { databaseSeconds } from './connection/database-time.ts';
import type { SqlStore } from './connection/sql-store.ts';
import { openRedis, type RedisConfig } from './redis/open-redis.ts';
import { openIssuances } from './tables/open-issuances.ts';
import { sqlAdminTokens } from './tables/sql-admin-tokens.ts';
import { sqlAssertionKeys } from './tables/sql-assertion-keys.ts';
import { sqlAudit } from './tables/sql-audit.ts';
import { sqlAuditSink } from './tables/sql-audit-sink.ts';
import { sqlAuthorizationServers } from './tables/sql-authorization-servers.ts';
import { sqlBoundKeys } from './tables/sql-bound-keys.ts';
import { sqlClients } from './tables/sql-clients.ts';
import { sqlConfiguration } from './tables/sql-configuration.ts';
import { sqlCredentialUses } from './tables/sql-credential-uses.ts';
import { sqlExpired } from './tables/sql-expired.ts';
import { sqlIssuedTokens } from './tables/sql-issued-tokens.ts';
import { sqlKeyEncryption, sqlNonceSecrets } from './tables/sql-key-encryption.ts';
import { sqlOrphanedUses } from './tables/sql-orphaned-uses.ts';
import { sqlPairings } from './tables/sql-pairings.ts';
import { sqlRegistrationCounts } from './tables/sql-registration-counts.ts';
import { sqlReplay } from './tables/sql-replay.ts';
import { sqlResourceServers } from './tables/sql-resource-servers.ts';
import { sqlSharedSecrets } from './tables/sql-secrets.ts';
import { sqlSigningKeys } from './tables/sql-signing-keys.ts';
import { sqlStatusLists } from './tables/sql-status-lists.ts';
import { sqlTrustedIssuers } from './tables/sql-trusted-issuers.ts';
import { sqlWithdrawnHolders } from './tables/sql-withdrawn-holders.ts';
import { sqlWriteCheck } from './tables/sql-write-check.ts';

type StoreConfig = RedisConfig &
  Pick<
    Config,
    | 'databaseUrl'
    | 'databasePoolSize'
    | 'databasePreparedStatements'
    | 'auditRetention'
    | 'auditSink'
    | 'accessTokenMaxLifetime'
  >;

interface Surroundings {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly databaseClock?: Clock | undefined;
  readonly peers: Peers;
  readonly measured?: Measurements | undefined;
}

/** Opens every store, on the database and, if configured, on Redis. */
export async function openStores(config: StoreConfig, surroundings: Surroundings) {
  const { logger, clock, databaseClock, peers, measured } = surroundings;
  const { databaseUrl, redisUrl, accessTokenMaxLifetime } = config;
  const onError = (err: Error) => logger.warn({ err }, 'store connection lost');
  if (redisUrl !== undefined)
    await (await import('./redis/connect-redis.ts')).refuseCluster(redisUrl);
  const opening = openDatabase(databaseUrl, onError, {
    poolSize: config.databasePoolSize,
    preparedStatements: config.databasePreparedStatements,
    measured,
  });
  const database = await observedOpening(opening, logger);
  const kind = databaseKind(databaseUrl);
  const secrets = sqlSharedSecrets(database);
  const opened = { ...surroundings, database, onError };
  const { redis, counters } = await openRedis(config, { ...opened, secrets });
  const replay = redis ?? sqlReplay(database, kind);
  const audit = sqlAudit(database, kind, clock);
  const issuances = await openIssuances({ ...opened, databaseUrl, audit, replayElsewhere: redis });
  const seconds = databaseSeconds(database, kind, databaseClock);
  const change = auditedTransaction(databaseUrl, database, clock);
  const store: SqlStore = { database, kind, change, seconds };
  const pingDatabase = async () =>
    void (await orStoreUnavailable(() => database.$queryRaw`select 1`));
  return {
    ...registries(store, { url: databaseUrl, clock, peers }),
    credentialUses: sqlCredentialUses(database, kind),
    audit,
    issuances,
    issuedTokens: sqlIssuedTokens(store),
    boundKeys: sqlBoundKeys(database, kind, accessTokenMaxLifetime),
    statusLists: sqlStatusLists(database, kind, accessTokenMaxLifetime, seconds),
    replay,
    wasUsed: replay.wasUsed,
    counters,
    ...auditSinkAndExpiredRows(config, store),
    signingKeys: sqlSigningKeys(databaseUrl, database, clock, databaseClock),
    keyEncryption: sqlKeyEncryption(change),
    nonceSecrets: sqlNonceSecrets(change),
    secrets,
    databaseSeconds: seconds,
    ...forOperators(store),
    pingDatabase,
    pingReplay: redis?.ping ?? pingDatabase,
    writeToDatabase: sqlWriteCheck(databaseUrl, database, clock),
    writeToReplay: redis?.checkWrite,
    async close() {
      redis?.close();
      counters?.close();
      await issuances.close();
      if (kind === 'sqlite')
        await emptyWriteAheadLog(database).catch((err: unknown) =>
          logger.warn({ err }, 'the write-ahead log was not moved into the SQLite file'),
        );
      await database.$disconnect();
    },
  };
}

/** Milliseconds after which the log says what a start is waiting for. */
const longOpening = 3000;

async function observedOpening<T>(opening: Promise<T>, logger: Logger): Promise<T> {
  const timer = setTimeout(
    () =>
      logger.warn('waiting for the database: a migration runs, or another process holds its lock'),
    longOpening,
  );
  return opening.finally(() => clearTimeout(timer));
}

/** The parts of the store that the protocol does not use. */
function forOperators({ database, change }: SqlStore) {
  return {
    adminTokens: sqlAdminTokens(database, change),
    countRegistrations: sqlRegistrationCounts(database),
  };
}

/** How far the audit trail was sent, and the rows to remove, among them no unsent event. */
function auditSinkAndExpiredRows(
  { auditSink: configured, auditRetention }: Pick<Config, 'auditSink' | 'auditRetention'>,
  { database, kind, seconds }: SqlStore,
) {
  const auditSink = sqlAuditSink(database, kind);
  const delivered = async () => configured && auditSink.positionOf(configured.name);
  return {
    auditSink,
    expired: [
      ...sqlExpired(database, seconds, auditRetention, delivered),
      sqlOrphanedUses(database),
    ],
  };
}

/** The registrations that a declared configuration can change. */
function registrations(store: SqlStore) {
  return {
    clients: sqlClients(store),
    resourceServers: sqlResourceServers(store),
    trustedIssuers: sqlTrustedIssuers(store),
    authorizationServers: sqlAuthorizationServers(store),
    pairings: sqlPairings(store),
  };
}

/** The registries of the admin API, and the cached copies that the protocol uses. */
function registries(
  store: SqlStore,
  { url, clock, peers }: { readonly url: string; readonly clock: Clock; readonly peers: Peers },
) {
  const { database, change } = store;
  const state = sqlCacheVersion(database);
  const current = registrations(store);
  const clients = cachedClients(current.clients, state, peers.invalidate);
  const resourceServers = cachedResourceServers(current.resourceServers, state, peers.invalidate);
  /** Drops every copy, because another process on this machine has changed something. */
  const forget = () => {
    clients.forget();
    resourceServers.forget();
  };
  const changed = async () => {
    forget();
    await peers.invalidate();
  };
  return {
    ...current,
    clients,
    currentClients: current.clients,
    resourceServers,
    currentResourceServers: current.resourceServers,
    withdrawnHolders: sqlWithdrawnHolders(database, change),
    assertionKeys: sqlAssertionKeys(database, change),
    configuration: sqlConfiguration({ ...store, url, clock, registrations, changed }),
    forget,
  };
}
