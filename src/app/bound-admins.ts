import type { BoundAdmins } from '../admin/bound-admins.ts';
import { adminAudience } from '../domain/admin-access.ts';
import { checkAdminAccess } from '../protocol/admin-access/check-admin-access.ts';
import { currentAdmin } from '../protocol/admin-access/current-admin.ts';
import { endpointsOf } from '../protocol/metadata/endpoint-uris.ts';
import { dpopNonces } from '../protocol/possession/dpop-nonce.ts';
import { type EndpointPartsOptions, endpointParts } from './endpoint-parts.ts';
import type { ServerKeys } from './server-keys.ts';

/** Creates the checks of tokens from admins that are clients of this server. */
export function boundAdmins(
  options: Omit<EndpointPartsOptions, 'endpoints' | 'nonces' | 'countClient' | 'signingKeys'>,
  { signingKeys, nonceSecrets }: ServerKeys,
): BoundAdmins {
  const { config, ports } = options;
  const nonces = dpopNonces(nonceSecrets.current, config.dpopNonceLifetime, ports.clock);
  const endpoints = endpointsOf(config.issuer);
  const parts = endpointParts({
    ...options,
    signingKeys,
    endpoints,
    nonces,
    countClient: undefined,
  });
  const current = currentAdmin({ ...ports, ...parts });
  return {
    check: checkAdminAccess({ ...ports, ...parts, currentAdmin: current }),
    checkAgain: async (token) => (await current(token)).admin,
    isOwn: async (token) => {
      const claims = await parts.verify(token);
      return claims?.aud === adminAudience && claims.exp > ports.clock() / 1000;
    },
    freshNonce: nonces.current,
    algs: config.dpopAlgs,
    origin: config.adminUrl,
  };
}
