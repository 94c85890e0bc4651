import { OAuthError } from '../../domain/oauth-error.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';

/** scope-token of RFC 6749 §3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** The scopes of a request. Throws `invalid_scope`. */
export function readScopes(requested: string): readonly string[] {
  const scopes = [...new Set(requested.split(' '))];
  if (!scopes.every((scope) => scopeToken.test(scope))) throw new OAuthError('scope_malformed');
  return scopes;
}

/** Scopes that mean something only for an end-user; `client_credentials` involves no user. */
const userScopes: ReadonlySet<string> = new Set(['openid', 'offline_access']);

/**
 * The requested scopes if both client and resource server know all of them; without a request, all
 * that both know (RFC 6749 §3.3). Scope is never narrowed silently. Throws `invalid_scope`.
 */
export function grantedScopes(
  requested: string | undefined,
  client: { readonly scope?: string | undefined },
  resourceServer: ResourceServer,
): readonly string[] {
  const registered = new Set(client.scope?.split(' ').filter((scope) => scope !== ''));
  const allowed = resourceServer.scopes.filter(
    (scope) => registered.has(scope) && !userScopes.has(scope),
  );
  if (requested === undefined) return allowed;
  const scopes = readScopes(requested);
  if (!scopes.every((scope) => allowed.includes(scope))) {
    throw new OAuthError('scope_not_allowed');
  }
  return scopes;
}
