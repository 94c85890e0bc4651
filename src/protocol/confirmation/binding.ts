import type { AdditionalHolder } from '../../domain/additional-holder.ts';
import type { Binding } from '../../domain/binding.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Confirmation, HolderConfirmation } from '../../domain/confirmation.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import { type ConfirmOptions, confirm } from './confirm.ts';

/** The step of the token endpoint that names the keys. Reads only. */
export type Bind = (
  client: AuthenticatedClient,
  possession: { readonly boundKey: ProvenKey; readonly keyNamed: boolean },
  holders: readonly AdditionalHolder[],
  resourceServer: ResourceServer,
) => Promise<Binding>;

/** Names the keys as the resource server expects them. Throws `unsupported_pop_key`. */
export function bind(options: ConfirmOptions): Bind {
  return async (client, { boundKey, keyNamed }, holders, resourceServer) => {
    const shared = holders.length > 0;
    const key = { boundKey, keyNamed, shared };
    const confirmed = await confirm(key, client.registration, resourceServer, options);
    return shared
      ? withHolders(confirmed.cnf, client, boundKey, holders, resourceServer)
      : confirmed;
  };
}

function withHolders(
  cnf: Confirmation,
  client: AuthenticatedClient,
  boundKey: ProvenKey,
  holders: readonly AdditionalHolder[],
  resourceServer: ResourceServer,
): Binding {
  if (resourceServer.multi_key_form !== 'jwks') {
    return {
      cnf,
      alt_cnf: holders.map((holder) => ({
        client_id: holder.registration.client_id,
        cnf: confirmHolder(holder, resourceServer),
      })),
    };
  }
  // A JWK Set cannot say that a key must be proven by TLS, so it names no certificate.
  if (
    boundKey.key === undefined ||
    (cnf.jkt === undefined && cnf.jwk === undefined) ||
    holders.some((holder) => holder['x5t#S256'] !== undefined)
  )
    throw new OAuthError('alt_cnf_method_not_accepted');
  const named = [{ client_id: client.registration.client_id, key: boundKey.key }].concat(
    holders.map(({ registration, key }) => ({ client_id: registration.client_id, key })),
  );
  return {
    cnf: {
      jwks: { keys: named.map(({ client_id, key }) => ({ ...key.jwk, kid: key.jkt, client_id })) },
    },
  };
}

function confirmHolder(
  { key, 'x5t#S256': thumbprint }: AdditionalHolder,
  { cnf_methods_supported }: ResourceServer,
): HolderConfirmation {
  const accepted: readonly string[] = cnf_methods_supported;
  if (thumbprint !== undefined && accepted.includes('x5t#S256')) return { 'x5t#S256': thumbprint };
  const method =
    thumbprint === undefined
      ? accepted.find((name) => name === 'jkt' || name === 'jwk')
      : undefined;
  if (method === undefined) throw new OAuthError('alt_cnf_method_not_accepted');
  return method === 'jkt' ? { jkt: key.jkt } : { jwk: key.jwk };
}
