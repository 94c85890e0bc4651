import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { WasUsed } from '../../ports/replay-store.ts';

/**
 * Refuses an assertion that was used before, so that a copy of it takes nothing from the rate limit
 * of its client. Reads only: the commit at the end decides which use is the first. Throws
 * `invalid_client`.
 */
export function unspentAssertion<Request>(
  authenticate: (request: Request) => Promise<AuthenticatedClient>,
  wasUsed: WasUsed,
): (request: Request) => Promise<AuthenticatedClient> {
  return async (request) => {
    const client = await authenticate(request);
    if (client.assertion !== undefined && (await wasUsed(client.assertion.use)))
      throw new OAuthError('invalid_client', 'the client assertion was used before', {
        reason: 'assertion_replayed',
      });
    return client;
  };
}
