import type { Config } from '../config/config.ts';
import type { KeySource } from '../domain/key-source.ts';
import { waitingElsewhere } from '../http/load/waiting-elsewhere.ts';
import type { Ports } from '../ports/ports.ts';
import { fetchSource } from '../protocol/client-keys/remote-jwks/fetch-source.ts';
import { remoteJwks } from '../protocol/client-keys/remote-jwks/remote-jwks.ts';

type BesideStores = Pick<Ports, 'clock' | 'randomId' | 'noteUse'>;

/** What the protocol needs from outside: stores and the published keys of others. */
export function protocolPorts(
  { jwksUriAllowPrivateAddresses: allowPrivateAddresses, ...config }: Config,
  stores: Omit<Ports, keyof BesideStores | 'remoteJwkSets'>,
  { clock, randomId, noteUse }: BesideStores,
): Ports {
  return {
    ...stores,
    clock,
    randomId,
    noteUse,
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
