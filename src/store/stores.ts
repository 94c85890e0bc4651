import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Clock } from '../ports.ts';
import { databaseKind } from './adapters.ts';
import { cachedClients, cachedResourceServers } from './cached-registries.ts';
import { answered, openDatabase } from './database.ts';
import { redisReplay } from './redis-replay.ts';
import { sqlAudit } from './sql-audit.ts';
import { sqlCredentialUses } from './sql-credential-uses.ts';
import { sqlExpired } from './sql-expired.ts';
import { sqlIssuedTokens } from './sql-issued-tokens.ts';
import { sqlPairings } from './sql-pairings.ts';
import { sqlClients, sqlResourceServers } from './sql-registries.ts';
import { sqlReplay } from './sql-replay.ts';
import { sqlSharedSecrets, sqlSigningKeys } from './sql-secrets.ts';
import { sqlTrustedIssuers } from './sql-trusted-issuers.ts';
import { sqlWithdrawnHolders } from './sql-withdrawn-holders.ts';

/** Every store, on the database and, when there is one, on Redis. */
export async function openStores(
  { databaseUrl, redisUrl, auditRetention }: Pick<Config, 'databaseUrl' | 'redisUrl' | 'auditRetention'>,
  logger: Logger,
  clock: Clock,
) {
  const onError = (err: Error) => logger.warn({ err }, 'store connection lost');
  const database = await openDatabase(databaseUrl, onError);
  const redis = redisUrl === undefined ? undefined : redisReplay({ url: redisUrl, clock, onError });
  const kind = databaseKind(databaseUrl);
  const replay = sqlReplay(database, kind);
  const clients = sqlClients(database);
  const pingDatabase = async () => void (await answered(() => database.$queryRaw`select 1`));
  return {
    clients: cachedClients(clients),
    currentClients: clients,
    credentialUses: sqlCredentialUses(database),
    trustedIssuers: sqlTrustedIssuers(database),
    withdrawnHolders: sqlWithdrawnHolders(database),
    pairings: sqlPairings(database),
    resourceServers: cachedResourceServers(sqlResourceServers(database)),
    audit: sqlAudit(database, kind, clock),
    issuedTokens: sqlIssuedTokens(database, kind),
    replay: redis ?? replay,
    expired: sqlExpired(database, auditRetention),
    signingKeys: sqlSigningKeys(database),
    secrets: sqlSharedSecrets(database),
    pingDatabase,
    pingReplay: redis?.ping ?? pingDatabase,
    async close() {
      redis?.close();
      await database.$disconnect();
    },
  };
}
