import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { databaseKind } from '../config/database-url.ts';
import type { Clock } from '../domain/clock.ts';
import type { Measurements } from '../ports/measurements.ts';
import type { Peers } from '../ports/peers.ts';
import { sqlCacheVersion } from './cache/cache-version.ts';
import { cachedClients, cachedResourceServers } from './cache/cached-registries.ts';
import { type AuditedTransaction, auditedTransaction } from './connection/audited-transaction.ts';
import { type Database, openDatabase, orStoreUnavailable } from './connection/database.ts';
import { type DatabaseSeconds, databaseSeconds } from './connection/database-time.ts';
import type { DatabaseKind } from './migrations/schema.ts';
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
import { sqlKeyEncryption } from './tables/sql-key-encryption.ts';
import { sqlNonceSecrets } from './tables/sql-nonce-secrets.ts';
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
    | 'accessTokenMaxLifetime'
  >;

interface Surroundings {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly databaseClock?: Clock | undefined;
  readonly peers: Peers;
  readonly measured?: Measurements | undefined;
}

/** Every store, on the database and, when there is one, on Redis. */
export async function openStores(
  config: StoreConfig,
  { logger, clock, databaseClock, peers, measured }: Surroundings,
) {
  const { databaseUrl, redisUrl, auditRetention, accessTokenMaxLifetime } = config;
  const onError = (err: Error) => logger.warn({ err }, 'store connection lost');
  if (redisUrl !== undefined)
    await (await import('./redis/connect-redis.ts')).refuseCluster(redisUrl);
  const database = await openDatabase(databaseUrl, onError, {
    poolSize: config.databasePoolSize,
    preparedStatements: config.databasePreparedStatements,
    measured,
  });
  const kind = databaseKind(databaseUrl);
  const secrets = sqlSharedSecrets(database);
  const onRedis = {
    database,
    secrets,
    logger,
    clock,
    redisClock: databaseClock,
    onError,
    measured,
  };
  const { redis, counters } = await openRedis(config, onRedis);
  const replay = redis ?? sqlReplay(database, kind);
  const audit = sqlAudit(database, kind, clock);
  const issuances = await openIssuances({
    databaseUrl,
    database,
    clock,
    audit,
    onError,
    measured,
    ...(redis !== undefined && { replayElsewhere: redis }),
  });
  const seconds = databaseSeconds(database, kind, databaseClock);
  const change = auditedTransaction(databaseUrl, database, clock);
  const pingDatabase = async () =>
    void (await orStoreUnavailable(() => database.$queryRaw`select 1`));
  return {
    ...registries({ url: databaseUrl, database, kind, clock, change, seconds, peers }),
    credentialUses: sqlCredentialUses(database, kind),
    audit,
    issuances,
    issuedTokens: sqlIssuedTokens(database, kind, change, seconds),
    boundKeys: sqlBoundKeys(database, kind, accessTokenMaxLifetime),
    statusLists: sqlStatusLists(database, kind, accessTokenMaxLifetime, seconds),
    replay,
    wasUsed: replay.wasUsed,
    counters,
    expired: [...sqlExpired(database, seconds, auditRetention), sqlOrphanedUses(database)],
    signingKeys: sqlSigningKeys(databaseUrl, database, clock, databaseClock),
    keyEncryption: sqlKeyEncryption(change),
    nonceSecrets: sqlNonceSecrets(change),
    secrets,
    databaseSeconds: seconds,
    ...forOperators(database, kind, change),
    pingDatabase,
    pingReplay: redis?.ping ?? pingDatabase,
    writeToDatabase: sqlWriteCheck(databaseUrl, database, clock),
    writeToReplay: redis?.checkWrite,
    async close() {
      redis?.close();
      counters?.close();
      await issuances.close();
      await database.$disconnect();
    },
  };
}

/** What is of no use to the protocol. */
function forOperators(database: Database, kind: DatabaseKind, change: AuditedTransaction) {
  return {
    adminTokens: sqlAdminTokens(database, change),
    auditSink: sqlAuditSink(database, kind),
    countRegistrations: sqlRegistrationCounts(database),
  };
}

/** The registries of the admin API, and the cached copies that the protocol uses. */
function registries(store: {
  readonly url: string;
  readonly database: Database;
  readonly kind: DatabaseKind;
  readonly clock: Clock;
  readonly change: AuditedTransaction;
  readonly seconds: DatabaseSeconds;
  readonly peers: Peers;
}) {
  const { database, kind, change, seconds, peers } = store;
  const state = sqlCacheVersion(database);
  const currentClients = sqlClients(database, kind, change, seconds);
  const clients = cachedClients(currentClients, state, peers.invalidate);
  const currentResourceServers = sqlResourceServers(database, change);
  const resourceServers = cachedResourceServers(currentResourceServers, state, peers.invalidate);
  /** Drops every copy, because another process on this machine has changed something. */
  const forget = () => {
    clients.forget();
    resourceServers.forget();
  };
  return {
    clients,
    currentClients,
    resourceServers,
    currentResourceServers,
    trustedIssuers: sqlTrustedIssuers(database, kind, change, seconds),
    authorizationServers: sqlAuthorizationServers(database, kind, change),
    withdrawnHolders: sqlWithdrawnHolders(database, change),
    assertionKeys: sqlAssertionKeys(database, change),
    pairings: sqlPairings(database, kind, change, seconds),
    configuration: sqlConfiguration({
      ...store,
      registrations: (by, now) => ({
        clients: sqlClients(database, kind, by, now),
        resourceServers: sqlResourceServers(database, by),
        trustedIssuers: sqlTrustedIssuers(database, kind, by, now),
        pairings: sqlPairings(database, kind, by, now),
      }),
      async changed() {
        forget();
        await peers.invalidate();
      },
    }),
    forget,
  };
}
