import { type GrantType, grantTypes } from '../../domain/client-registration.ts';
import type { ValidateGrant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';

/** Picks the grant by `grant_type`, which the client must be registered for. */
export function validateGrant(handlers: Readonly<Record<GrantType, ValidateGrant>>): ValidateGrant {
  return async (request, client) => {
    const named = request.parameters.get('grant_type');
    if (named === undefined || named.trim() === '') throw new OAuthError('grant_type_missing');
    const type = grantTypes.find((known) => known === named);
    if (type === undefined) throw new OAuthError('unsupported_grant_type');
    if (!client.registration.grant_types.includes(type)) {
      throw new OAuthError('grant_type_not_registered');
    }
    return handlers[type](request, client);
  };
}
