import type { ChecksWithoutStore } from '../admin/configuration/without-store.ts';
import type { Config } from '../config/config.ts';
import { allowedAddresses } from '../protocol/client-keys/remote-jwks/address.ts';
import { mayBeFetched } from '../protocol/client-keys/remote-jwks/target.ts';

/** What the environment says about registrations: issuer, limits, hosts to fetch keys from. */
export function registrationChecks(config: Config): ChecksWithoutStore {
  return {
    issuer: config.issuer,
    maxAccessTokenLifetime: config.accessTokenMaxLifetime,
    hasTrustBundleDirectory: config.trustBundleDirectory !== undefined,
    mayBeFetched: (uri, allowPrivate = false) =>
      mayBeFetched(uri, allowedAddresses(allowPrivate || config.jwksUriAllowPrivateAddresses)),
  };
}
