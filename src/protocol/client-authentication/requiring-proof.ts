import { grantTypes } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { TokenRequest } from '../../domain/oauth-request.ts';
import { readCredentials } from './credentials.ts';

const knownGrantTypes: ReadonlySet<string | undefined> = new Set(grantTypes);

/**
 * Refuses a token request with a secret that proves no key, before secret and client are looked at:
 * libraries try the secret in another place after any refusal, and the user sees only the last one.
 * The answer is the same for every client and every secret, so it tells a stranger nothing.
 */
export function requiringProof<Caller>(
  authenticate: (request: TokenRequest) => Promise<Caller>,
): (request: TokenRequest) => Promise<Caller> {
  return async (request) => {
    const { dpop, clientCertificate, parameters } = request;
    if (
      dpop.length === 0 &&
      clientCertificate === undefined &&
      knownGrantTypes.has(parameters.get('grant_type')) &&
      'clientSecret' in readCredentials(request)
    )
      throw new OAuthError('proof_missing');
    return authenticate(request);
  };
}
