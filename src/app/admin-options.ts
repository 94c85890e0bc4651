import type { Logger } from 'pino';
import { guardedClients } from '../admin/guarded-clients.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Scrape } from '../observability/scrape.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { Tracing } from '../ports/tracing.ts';
import { tryToken } from '../protocol/trusted-issuers/try-token.ts';
import type { openStores } from '../store/stores.ts';
import type { AdminServerOptions } from './admin-server.ts';
import { boundAdmins } from './bound-admins.ts';
import type { PreparedSecrets } from './first-start.ts';
import { registrationChecks } from './registration-checks.ts';
import type { ServerKeys } from './server-keys.ts';
import { trustParts } from './trust-parts.ts';

/** Resources opened before the listeners. */
export interface Opened {
  readonly stores: Awaited<ReturnType<typeof openStores>>;
  readonly secrets: PreparedSecrets;
  readonly keys: ServerKeys;
  readonly measured: Metrics;
}

/** Options that the admin listener shares with the others. */
interface Common {
  readonly scrape: Scrape;
  readonly tracing: Tracing | undefined;
  readonly ports: Ports;
  readonly refusals: Refusals;
  readonly logger: Logger;
}

/** Assembles the options of the admin listener. */
export function adminOptions(config: Config, options: Opened & Common): AdminServerOptions {
  const { stores, secrets, keys, ports, refusals } = options;
  const { clock, randomId } = ports;
  const { encryption, bootstrapHash } = secrets;
  const { signingKeys, gatewayKeys, nonceSecrets } = keys;
  const { verifyTrustedIssuerToken: verify } = trustParts(config, ports, refusals);
  return {
    ...stores,
    ...options,
    ...registrationChecks(config),
    clock,
    randomId,
    clients: guardedClients(stores.clients),
    clientRegistrations: stores.clients,
    auditLog: stores.audit,
    tryToken: tryToken({ ...ports, verify }),
    bootstrapHash,
    boundAdmins: boundAdmins({ ...options, config }, keys),
    secrets: stores.secrets,
    signingKeys: { issuer: signingKeys, gateway: gatewayKeys },
    ensureSigningKey: signingKeys.ensure,
    nonceSecrets,
    keyEncryption: { ...stores, encryption, changes: stores.keyEncryption },
  };
}
