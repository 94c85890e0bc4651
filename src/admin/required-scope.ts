import type { AdminScope } from '../domain/admin-access.ts';

/** Scopes for reading and changing, by path; the first match counts. */
const areas: readonly (readonly [path: RegExp, read: AdminScope, write: AdminScope])[] = [
  [/^\/admin\/clients\/:client_id\/tokens$/, 'tokens:revoke', 'tokens:revoke'],
  [/^\/admin\/(tokens|keys)\//, 'tokens:revoke', 'tokens:revoke'],
  [/^\/admin\/clients\b/, 'clients:read', 'clients:write'],
  [/^\/admin\/resource-servers\b/, 'resource-servers:read', 'resource-servers:write'],
  [/^\/admin\/pairings\b/, 'pairings:read', 'pairings:write'],
  [
    /^\/admin\/(trusted-issuers|authorization-servers)\b/,
    'trusted-issuers:read',
    'trusted-issuers:write',
  ],
  [/^\/admin\/(signing-keys|dpop-nonce-secrets|key-encryption-key)\b/, 'keys:read', 'keys:rotate'],
  [/^\/admin\/configuration$/, 'configuration:read', 'configuration:write'],
  [/^\/admin\/audit-events$/, 'audit:read', 'audit:read'],
  [/^\/admin\/admin-tokens\b/, 'admin:read', 'admin:grant'],
  [/^\/metrics$/, 'metrics:read', 'metrics:read'],
];

/** The scope that a dry run needs by its path, since it changes nothing. */
export function dryRunScope(path: string): AdminScope | undefined {
  return path === '/admin/configuration' ? 'configuration:read' : undefined;
}

/** Paths that any admin may read. */
const forAll: ReadonlySet<string> = new Set(['/admin/openapi.json']);

/**
 * The scope that a route needs; undefined: any admin may call it. Mounting an unknown path throws
 * an Error, so that none is open by oversight.
 */
export function requiredScope(method: string, path: string): AdminScope | undefined {
  if (forAll.has(path)) return undefined;
  const [, read, write] = areas.find(([beginning]) => beginning.test(path)) ?? [];
  if (read === undefined || write === undefined)
    throw new Error(`${path} is in no area of required-scope.ts`);
  return method === 'GET' || method === 'HEAD' ? read : write;
}
