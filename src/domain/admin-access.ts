import type { ResourceServer } from './resource-server.ts';

/** Scopes of admins; `admin:grant` allows creating tokens and clients that are admins. */
export const adminScopes = [
  'clients:read',
  'clients:write',
  'resource-servers:read',
  'resource-servers:write',
  'pairings:read',
  'pairings:write',
  'trusted-issuers:read',
  'trusted-issuers:write',
  'configuration:read',
  'configuration:write',
  'tokens:revoke',
  'keys:read',
  'keys:rotate',
  'audit:read',
  'metrics:read',
  'admin:read',
  'admin:grant',
] as const;
export type AdminScope = (typeof adminScopes)[number];

/** The audience of tokens for this server's own admin API. */
export const adminAudience = 'urn:holdfast:admin';

/** Whether an audience is reserved for this server itself, in any letter case. */
export function isReservedAudience(audience: string): boolean {
  return /^urn:holdfast:/i.test(audience);
}

/** The known scopes among these. */
export function knownAdminScopes(scopes: Iterable<string>): readonly AdminScope[] {
  const given = new Set(scopes);
  return adminScopes.filter((scope) => given.has(scope));
}

/**
 * The admin API as a resource server, which is not registered and whose `id` no registration can
 * have. Its tokens need a DPoP proof.
 */
export const adminResourceServer: ResourceServer = {
  id: adminAudience,
  audience: adminAudience,
  client_id: adminAudience,
  clientSecrets: [],
  scopes: adminScopes,
  cnf_methods_supported: ['jkt'],
  access_token_lifetime: 300,
  access_token_signing_alg: 'ES256',
};
