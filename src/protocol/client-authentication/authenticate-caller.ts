import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Credential } from '../../domain/credential-use.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { Ports } from '../../ports/ports.ts';
import { matchingSecret } from './client-secret.ts';
import { readCredentials } from './credentials.ts';

/** The caller of introspection: a resource server, or a client, which learns nothing there. */
export type Caller = (
  | { readonly resourceServer: ResourceServer }
  | { readonly client: ClientRegistration }
) & { readonly credential: Credential };

/** Authenticates by secret (RFC 7662 §2.1). Throws `invalid_client` or `invalid_request`. */
export function authenticateCaller({
  resourceServers,
  currentResourceServers,
  clients,
  currentClients,
  clock,
}: Pick<
  Ports,
  'resourceServers' | 'currentResourceServers' | 'clients' | 'currentClients' | 'clock'
>) {
  return async (request: Pick<OAuthRequest, 'authorization' | 'parameters'>): Promise<Caller> => {
    const credentials = readCredentials(request);
    if (!('clientSecret' in credentials)) throw new OAuthError('auth_method_not_registered');
    const { clientId, clientSecret } = credentials;
    const match = ({ clientSecrets = [] }: Partial<ResourceServer | ClientRegistration> = {}) =>
      matchingSecret(clientSecrets, clientSecret, clock() / 1000);
    const resourceServer = await resourceServers.findByClientId(clientId);
    const itsSecret = match(resourceServer);
    if (resourceServer !== undefined && itsSecret !== undefined)
      return { resourceServer, credential: { kind: 'secret', identifier: itsSecret.id } };
    // A client can have the same name: each authenticates by its own secret.
    const client = await clients.findClient(clientId);
    const secret = match(client);
    if (secret === undefined) {
      // Costs as many store reads as an unknown name, which is never cached.
      if (resourceServer !== undefined) await currentResourceServers.findByClientId(clientId);
      if (client !== undefined) await currentClients.findClient(clientId);
      throw new OAuthError('client_secret_mismatch');
    }
    if (client === undefined || client.disabled) throw new OAuthError('client_unknown');
    return { client, credential: { kind: 'secret', identifier: secret.id } };
  };
}
