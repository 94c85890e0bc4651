import type { Config } from '../config/config.ts';
import type { KeySource } from '../domain/key-source.ts';
import { waitingElsewhere } from '../http/load/waiting-elsewhere.ts';
import type { Ports } from '../ports/ports.ts';
import { fetchSource } from '../protocol/client-keys/remote-jwks/fetch-source.ts';
import { remoteJwks } from '../protocol/client-keys/remote-jwks/remote-jwks.ts';

type BesideStores = Pick<Ports, 'clock' | 'randomId' | 'noteUse'>;

/** Gives the protocol the stores that it may use, and no others. */
export function protocolPorts(
  { jwksUriAllowPrivateAddresses: allowPrivateAddresses, ...config }: Config,
  stores: Omit<Ports, keyof BesideStores | 'remoteJwkSets'>,
  { clock, randomId, noteUse }: BesideStores,
): Ports {
  return {
    clock,
    randomId,
    noteUse,
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
    trustedIssuers: stores.trustedIssuers,
    authorizationServers: stores.authorizationServers,
    withdrawnHolders: stores.withdrawnHolders,
    assertionKeys: stores.assertionKeys,
    remoteJwkSets: remoteJwks<KeySource>({
      fetch: fetchSource({
        allowPrivateAddresses,
        directory: config.trustBundleDirectory,
        proxy: config.egressProxy,
      }),
      clock,
      waitingElsewhere,
    }),
  };
}
