import type { FastifyInstance } from 'fastify';
import { grantTypes } from '../../domain/client-registration.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import { recordedThumbprint } from '../../domain/proven-key.ts';
import type { IssuedToken } from '../../protocol/token/token-endpoint.ts';
import { readOAuthRequest } from '../request/read-oauth-request.ts';

/** Maximum bytes of a token request's body; one with ML-DSA keys has about 10,000. */
export const tokenBodyLimit = 65_536;

/** Mounts `POST /token` (RFC 6749 §3.2). */
export function tokenRoute(
  app: FastifyInstance,
  path: string,
  answer: (request: OAuthRequest) => Promise<IssuedToken>,
): void {
  const config = { crossOrigin: 'endpoint' } as const;
  app.post(path, { bodyLimit: tokenBodyLimit, config }, async (request, reply) => {
    void reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
    const asked = readOAuthRequest(request);
    const grant_type = grantLabel(asked.parameters.get('grant_type'));
    request.logFields = { grant: grant_type };
    const { response, client, audience, boundKey, jti, dpopNonce } = await answer(asked);
    if (dpopNonce !== undefined) void reply.header('dpop-nonce', dpopNonce);
    request.logFields = {
      grant: grant_type,
      client_id: client.registration.client_id,
      aud: audience,
      jti,
      jkt: recordedThumbprint(boundKey),
      proven_by: boundKey.provenBy,
    };
    return response;
  });
}

/** The name of the grant for the log, which repeats no unknown text. */
function grantLabel(asked: string | undefined): string {
  return grantTypes.find((known) => known === asked) ?? (asked === undefined ? 'none' : 'other');
}
