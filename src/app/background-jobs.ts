import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { clockDifference } from '../domain/clock-difference.ts';
import type { DpopNonceSecrets } from '../keys/dpop-nonce-secrets.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { CredentialUseRecorder } from '../observability/credential-use.ts';
import type { Measurements } from '../ports/measurements.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import {
  type UnregisteredKeysOptions,
  unregisteredKeys,
} from '../protocol/access-token/unregistered-keys.ts';
import { registeredKeys } from '../protocol/client-keys/registered-keys.ts';
import { type BackgroundJob, jobRunner } from './job-runner.ts';
import { poller } from './poller.ts';

export interface BackgroundJobsOptions {
  readonly config: Pick<Config, 'accessTokenMaxLifetime' | 'cleanupInterval'>;
  readonly ports: Pick<
    Ports,
    'audit' | 'clock' | 'currentClients' | 'remoteJwkSets' | 'issuedTokens'
  >;
  readonly signingKeys: Pick<SigningKeys, 'refresh'>;
  readonly gatewayKeys: Pick<SigningKeys, 'refresh'>;
  readonly nonceSecrets: Pick<DpopNonceSecrets, 'refresh'>;
  readonly boundKeys: UnregisteredKeysOptions['boundKeys'];
  /** Expired rows, one entry per table; `remove` deletes a batch and tells if more may remain. */
  readonly expired: readonly { readonly name: string; remove(): Promise<boolean> }[];
  /** The database's time, in seconds since the epoch. */
  readonly databaseSeconds: () => Promise<number>;
  readonly uses: Pick<CredentialUseRecorder, 'flush'>;
  readonly refusals: Pick<Refusals, 'flush'>;
  readonly measured?: Pick<Measurements, 'job' | 'jobBegins'>;
  readonly logger: Logger;
}

/** Background jobs that are running. */
export interface BackgroundJobs {
  /** Stops the polling of keys and secrets. */
  stopRefreshing(): void;
  /** Stops the job runner, and waits for the batch in progress. */
  stopJobs(): Promise<void>;
}

/**
 * Milliseconds between readings of the signing keys and DPoP nonce secrets, which another replica
 * may have extended.
 */
const keyRefreshInterval = 1000;

/** Starts rereading keys, writing counts, and removing expired rows. */
export function backgroundJobs(options: BackgroundJobsOptions): BackgroundJobs {
  const { config, ports, signingKeys, nonceSecrets, boundKeys, expired, uses, refusals } = options;
  const { databaseSeconds, logger, measured } = options;
  const stopRefreshing = poller(
    [
      { name: 'signing keys', read: signingKeys.refresh },
      { name: 'signing keys of gateways', read: options.gatewayKeys.refresh },
      { name: 'secrets of the DPoP nonces', read: nonceSecrets.refresh },
    ],
    keyRefreshInterval,
    logger,
  );

  const revokeUnregistered = unregisteredKeys({
    ...ports,
    boundKeys,
    clients: ports.currentClients,
    keys: registeredKeys(ports.remoteJwkSets),
    tokenLifetime: config.accessTokenMaxLifetime,
  });
  const checkClock = clockDifference({ clock: ports.clock, databaseSeconds, logger });
  const again = (jobs: readonly BackgroundJob[]) =>
    jobRunner({
      jobs,
      logger,
      measured,
      interval: config.cleanupInterval * 1000,
    });
  // Runs separately, because it waits for clients' servers.
  const stopWatchingKeys = again([
    {
      name: 'unregistered_keys',
      run: async () => revokeUnregistered(await databaseSeconds()).then(() => false),
    },
  ]);
  const stopJobs = again([
    { name: 'clock_difference', run: async () => checkClock().then(() => false) },
    { name: 'credential_uses', run: uses.flush },
    ...expired.map(({ name, remove }) => ({ name, run: remove })),
    { name: 'refusals', run: async () => refusals.flush().then(() => false) },
  ]);

  return {
    stopRefreshing,
    async stopJobs() {
      await Promise.all([stopJobs(), stopWatchingKeys()]);
    },
  };
}
