import type { ClientRegistration } from '../client-registration.ts';
import { OAuthError } from '../oauth-error.ts';
import type { ProvenKey } from '../proven-key.ts';
import type { ConfirmationMethod, ResourceServer } from '../resource-server.ts';
import type { Confirmation } from './confirmation.ts';
import { jkt } from './jkt.ts';
import { jwk } from './jwk.ts';
import { jku, kid } from './kid.ts';
import { x5tS256 } from './x5t-s256.ts';

/** Each confirmation method names the proven key, or answers undefined where it cannot. */
type Name = (proven: ProvenKey, client: ClientRegistration, issuer: string) => Confirmation | undefined;
const methods: Record<ConfirmationMethod, Name> = { jkt, 'x5t#S256': x5tS256, jwk, kid, jku };

/** Names the proven key in the first way of the resource server's list that can express it. Throws `unsupported_pop_key`. */
export function confirm(proven: ProvenKey, client: ClientRegistration, issuer: string, resourceServer: ResourceServer): Confirmation {
  for (const method of resourceServer.cnf_methods_supported) {
    const confirmation = methods[method](proven, client, issuer);
    if (confirmation !== undefined) return confirmation;
  }
  throw new OAuthError('unsupported_pop_key', 'the resource server does not accept a confirmation method that this key can be named by', {
    reason: 'confirmation_method_not_accepted',
  });
}
