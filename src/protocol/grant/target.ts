import { isReservedAudience } from '../../domain/admin-access.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { Ports } from '../../ports/ports.ts';

/**
 * Finds the one resource server that the token is for (RFC 8707 §2, RFC 9068 §3); without
 * `resource`, it is the client's only one or the only one registered. This server's own admin API
 * is never found, even if a resource server has its name. Throws `invalid_target`.
 */
export function targetResourceServer({ resourceServers }: Pick<Ports, 'resourceServers'>) {
  return async (
    { resources }: OAuthRequest,
    client: ClientRegistration,
  ): Promise<ResourceServer> => {
    if (resources.length > 1) throw new OAuthError('several_resources');
    const [requested] = resources;
    if (requested !== undefined && !isResourceIdentifier(requested)) {
      throw new OAuthError('resource_malformed');
    }
    if (requested !== undefined && isReservedAudience(requested))
      throw new OAuthError('resource_not_allowed');
    if (
      requested !== undefined &&
      client.resources !== undefined &&
      !client.resources.includes(requested)
    )
      throw new OAuthError('resource_not_allowed');
    const [only, ...more] = client.resources?.filter((each) => !isReservedAudience(each)) ?? [];
    const audience = requested ?? (more.length === 0 ? only : undefined);
    if (audience === undefined) {
      const sole = client.resources === undefined ? await resourceServers.findSole() : undefined;
      if (sole === undefined || isReservedAudience(sole.audience))
        throw new OAuthError('resource_missing');
      return sole;
    }
    const found = await resourceServers.findByAudience(audience);
    if (found === undefined) throw new OAuthError('resource_not_allowed');
    return found;
  };
}

/** Whether this is an absolute URI without a fragment (RFC 8707 §2). */
export function isResourceIdentifier(value: string): boolean {
  return (
    /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(value) &&
    !value.includes('#') &&
    URL.canParse(value)
  );
}
