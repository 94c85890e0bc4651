import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OAuthError } from '../oauth-error.ts';
import type { IssuedToken } from '../token-endpoint.ts';
import type { TokenRequest } from '../token-request.ts';
import type { Form } from './form.ts';
import { headerFields } from './header-fields.ts';

/** Octets of a token request's body; a request with ML-DSA keys has about 10,000. */
export const tokenBodyLimit = 65_536;

/** `POST /token` (RFC 6749 §3.2). */
export function tokenRoute(app: FastifyInstance, path: string, answer: (request: TokenRequest) => Promise<IssuedToken>): void {
  app.post(path, { bodyLimit: tokenBodyLimit }, async (request, reply) => {
    void reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
    const { response, client, grant, boundKey, jti, dpopNonce } = await answer(readTokenRequest(request));
    if (dpopNonce !== undefined) void reply.header('dpop-nonce', dpopNonce);
    request.logFields = {
      client_id: client.registration.client_id,
      aud: grant.resourceServer.audience,
      jti,
      jkt: boundKey.key.jkt,
      proven_by: boundKey.provenBy,
    };
    return response;
  });
}

function readTokenRequest(request: FastifyRequest): TokenRequest {
  const authorization = headerFields(request.raw, 'authorization');
  if (authorization.length > 1)
    throw new OAuthError('invalid_request', 'the Authorization header field is repeated', { reason: 'authorization_repeated' });
  const form = request.body as Form | undefined | null;
  return {
    parameters: form?.parameters ?? new Map<string, string>(),
    resources: form?.resources ?? [],
    ...(authorization[0] !== undefined && { authorization: authorization[0] }),
    dpop: headerFields(request.raw, 'dpop'),
  };
}
