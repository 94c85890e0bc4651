import type { Logger } from 'pino';
import { guardedClients } from '../admin/guarded-clients.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Scrape } from '../observability/scrape.ts';
import type { Ports, RandomId } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { Tracing } from '../ports/tracing.ts';
import { allowedAddresses } from '../protocol/client-keys/remote-jwks/address.ts';
import { mayBeFetched } from '../protocol/client-keys/remote-jwks/target.ts';
import { tryToken } from '../protocol/trusted-issuers/try-token.ts';
import type { openStores } from '../store/stores.ts';
import type { AdminServerOptions } from './admin-server.ts';
import { boundAdmins } from './bound-admins.ts';
import type { PreparedSecrets } from './first-start.ts';
import type { ServerKeys } from './server-keys.ts';
import { trustParts } from './trust-parts.ts';

/** What was opened before the listeners. */
export interface Opened {
  readonly stores: Awaited<ReturnType<typeof openStores>>;
  readonly secrets: PreparedSecrets;
  readonly keys: ServerKeys;
  readonly measured: Metrics;
}

/** Collects what the admin listener may use. */
export function adminOptions(
  config: Config,
  {
    clock,
    randomId,
    logger,
  }: { readonly clock: Clock; readonly randomId: RandomId; readonly logger: Logger },
  {
    stores,
    secrets,
    keys,
    measured,
    scrape,
    tracing,
    ports,
    refusals,
  }: Opened & {
    readonly scrape: Scrape;
    readonly tracing: Tracing | undefined;
    readonly ports: Ports;
    readonly refusals: Refusals;
  },
): AdminServerOptions {
  const { signingKeys, gatewayKeys, nonceSecrets } = keys;
  return {
    issuer: config.issuer,
    clients: guardedClients(stores.clients),
    clientRegistrations: stores.clients,
    auditLog: stores.audit,
    issuedTokens: stores.issuedTokens,
    resourceServers: stores.resourceServers,
    pairings: stores.pairings,
    trustedIssuers: stores.trustedIssuers,
    authorizationServers: stores.authorizationServers,
    configuration: stores.configuration,
    credentialUses: stores.credentialUses,
    mayBeFetched: (uri, allowPrivate = false) =>
      mayBeFetched(uri, allowedAddresses(allowPrivate || config.jwksUriAllowPrivateAddresses)),
    tryToken: tryToken({
      ...ports,
      verify: trustParts(config, ports, refusals).verifyTrustedIssuerToken,
    }),
    hasTrustBundleDirectory: config.trustBundleDirectory !== undefined,
    clock,
    randomId,
    bootstrapHash: secrets.bootstrapHash,
    adminTokens: stores.adminTokens,
    boundAdmins: boundAdmins({ config, ports, refusals, measured, logger }, keys),
    secrets: stores.secrets,
    signingKeys: { issuer: signingKeys, gateway: gatewayKeys },
    ensureSigningKey: signingKeys.ensure,
    nonceSecrets,
    keyEncryption: {
      encryption: secrets.encryption,
      signingKeys: stores.signingKeys,
      secrets: stores.secrets,
      changes: stores.keyEncryption,
    },
    maxAccessTokenLifetime: config.accessTokenMaxLifetime,
    scrape,
    measured,
    tracing,
    logger,
  };
}
