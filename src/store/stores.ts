import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { databaseKind } from '../config/database-url.ts';
import type { Clock } from '../domain/clock.ts';
import type { Peers } from '../ports/peers.ts';
import type { SharedSecretStore } from '../ports/signing-key-store.ts';
import { sqlCacheVersion } from './cache/cache-version.ts';
import { cachedClients, cachedResourceServers } from './cache/cached-registries.ts';
import { auditedTransaction } from './connection/audited-transaction.ts';
import { type Database, openDatabase, orStoreUnavailable } from './connection/database.ts';
import { databaseSeconds } from './connection/database-time.ts';
import { openIssuances } from './tables/open-issuances.ts';
import { sqlAudit } from './tables/sql-audit.ts';
import { sqlBoundKeys } from './tables/sql-bound-keys.ts';
import { sqlClients } from './tables/sql-clients.ts';
import { sqlCredentialUses } from './tables/sql-credential-uses.ts';
import { sqlExpired } from './tables/sql-expired.ts';
import { sqlIssuedTokens } from './tables/sql-issued-tokens.ts';
import { sqlKeyEncryption } from './tables/sql-key-encryption.ts';
import { sqlNonceSecrets } from './tables/sql-nonce-secrets.ts';
import { sqlOrphanedUses } from './tables/sql-orphaned-uses.ts';
import { sqlPairings } from './tables/sql-pairings.ts';
import { sqlReplay } from './tables/sql-replay.ts';
import { sqlResourceServers } from './tables/sql-resource-servers.ts';
import { sqlSharedSecrets } from './tables/sql-secrets.ts';
import { sqlSigningKeys } from './tables/sql-signing-keys.ts';
import { sqlStatusLists } from './tables/sql-status-lists.ts';
import { sqlTrustedIssuers } from './tables/sql-trusted-issuers.ts';
import { sqlWithdrawnHolders } from './tables/sql-withdrawn-holders.ts';
import { sqlWriteCheck } from './tables/sql-write-check.ts';

type StoreConfig = Pick<
  Config,
  | 'databaseUrl'
  | 'databasePoolSize'
  | 'databasePreparedStatements'
  | 'redisUrl'
  | 'auditRetention'
  | 'clockTolerance'
  | 'accessTokenMaxLifetime'
  | 'rateLimitPerClient'
  | 'rateLimitPerAddress'
>;

/** Every store, on the database and, when there is one, on Redis. */
export async function openStores(
  {
    databaseUrl,
    databasePoolSize,
    databasePreparedStatements,
    redisUrl,
    auditRetention,
    clockTolerance,
    accessTokenMaxLifetime,
    rateLimitPerClient,
    rateLimitPerAddress,
  }: StoreConfig,
  {
    logger,
    clock,
    databaseClock,
    peers,
  }: {
    readonly logger: Logger;
    readonly clock: Clock;
    readonly databaseClock?: Clock | undefined;
    readonly peers: Peers;
  },
) {
  const onError = (err: Error) => logger.warn({ err }, 'store connection lost');
  const onLoss = () =>
    logger.error(
      'Redis has lost replay records: what could have been used before is refused until it is too old',
    );
  const onEviction = () =>
    logger.error(
      'this Redis may evict replay records, so that a proof could count twice: set its maxmemory-policy to noeviction',
    );
  if (redisUrl !== undefined)
    await (await import('./redis/connect-redis.ts')).refuseCluster(redisUrl);
  const database = await openDatabase(databaseUrl, onError, {
    poolSize: databasePoolSize,
    preparedStatements: databasePreparedStatements,
  });
  const limited = (rateLimitPerClient ?? rateLimitPerAddress) !== undefined;
  const secrets = sqlSharedSecrets(database);
  const installed =
    redisUrl === undefined
      ? undefined
      : { url: redisUrl, onError, ...(await installationOf(secrets, database)) };
  // Loaded only where there is a Redis: a start without one is quicker and smaller.
  const redis =
    installed &&
    (await import('./redis/redis-replay.ts')).redisReplay({
      ...installed,
      clock,
      redisClock: databaseClock,
      clockTolerance,
      onLoss,
      onEviction,
    });
  const counters =
    installed && limited
      ? (await import('./redis/redis-counters.ts')).redisCounters(installed)
      : undefined;
  const kind = databaseKind(databaseUrl);
  const replay = sqlReplay(database, kind);
  const audit = sqlAudit(database, kind, clock);
  const issuances = await openIssuances({
    databaseUrl,
    database,
    clock,
    audit,
    onError,
    ...(redis !== undefined && { replayElsewhere: redis }),
  });
  const seconds = databaseSeconds(database, kind, databaseClock);
  const change = auditedTransaction(databaseUrl, database, clock);
  const state = sqlCacheVersion(database);
  const registered = sqlClients(database, kind, change, seconds);
  const clients = cachedClients(registered, state, peers.invalidate);
  const registeredServers = sqlResourceServers(database, change);
  const resourceServers = cachedResourceServers(registeredServers, state, peers.invalidate);
  const pingDatabase = async () =>
    void (await orStoreUnavailable(() => database.$queryRaw`select 1`));
  const writeToDatabase = sqlWriteCheck(databaseUrl, database, clock);
  return {
    clients,
    currentClients: registered,
    currentResourceServers: registeredServers,
    credentialUses: sqlCredentialUses(database, kind),
    trustedIssuers: sqlTrustedIssuers(database, kind, change),
    withdrawnHolders: sqlWithdrawnHolders(database, change),
    pairings: sqlPairings(database, kind, change, seconds),
    resourceServers,
    /** Forgets every copy: another process on this machine has changed something. */
    forget() {
      clients.forget();
      resourceServers.forget();
    },
    audit,
    issuances,
    issuedTokens: sqlIssuedTokens(database, kind, change, seconds),
    boundKeys: sqlBoundKeys(database, kind, accessTokenMaxLifetime),
    statusLists: sqlStatusLists(database, kind, accessTokenMaxLifetime, seconds),
    replay: redis ?? replay,
    wasUsed: (redis ?? replay).wasUsed,
    counters,
    expired: [...sqlExpired(database, seconds, auditRetention), sqlOrphanedUses(database)],
    signingKeys: sqlSigningKeys(databaseUrl, database, clock, databaseClock),
    keyEncryption: sqlKeyEncryption(change),
    nonceSecrets: sqlNonceSecrets(change),
    secrets,
    databaseSeconds: seconds,
    pingDatabase,
    pingReplay: redis?.ping ?? pingDatabase,
    writeToDatabase,
    writeToReplay: redis?.checkWrite,
    async close() {
      redis?.close();
      counters?.close();
      await issuances.close();
      await database.$disconnect();
    },
  };
}

/** What names this installation in a shared Redis, and whether it has just got its name. */
async function installationOf(
  secrets: SharedSecretStore,
  database: Database,
): Promise<{ readonly installation: string; readonly first: boolean }> {
  const name = 'redis_installation';
  const known = await secrets.getSecret(name);
  if (known !== undefined) return { installation: known, first: false };
  // Where records were kept in the database until now, the Redis lacks them.
  const first = (await orStoreUnavailable(() => database.replayRecord.findFirst())) === null;
  return {
    installation: await secrets.putSecretOnce(name, randomBytes(16).toString('base64url')),
    first,
  };
}
