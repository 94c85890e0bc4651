import type { ResourceServer } from './resource-server.ts';

/** What an admin may do. `admin:grant`: make tokens and clients that are admins themselves. */
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

/** Whether an audience is kept for this server itself, in whatever case it is written. */
export function isReservedAudience(audience: string): boolean {
  return /^urn:holdfast:/i.test(audience);
}

/** The known scopes among these. */
export function knownAdminScopes(scopes: Iterable<string>): readonly AdminScope[] {
  const given = new Set(scopes);
  return adminScopes.filter((scope) => given.has(scope));
}

/**
 * The admin API as a resource server, which nobody registers: its `id` is none that could be given.
 * Its tokens count by a DPoP proof alone.
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
