import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../domain/clock.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { CurrentSigningKey } from '../../ports/current-signing-key.ts';
import type { Introspection } from '../../protocol/introspection/introspection-endpoint.ts';
import { prefers } from '../request/accepts.ts';
import { readOAuthRequest } from '../request/read-oauth-request.ts';

export interface IntrospectionRouteOptions {
  readonly issuer: string;
  readonly clock: Clock;
  readonly signingKey: CurrentSigningKey;
  readonly answer: (request: OAuthRequest) => Promise<Introspection>;
}

const signedType = 'application/token-introspection+jwt';
const plainTypes = ['application/json', 'application/*', '*/*'];

/**
 * Mounts `POST /introspect` (RFC 7662 §2), with a signed answer if the resource server requests one
 * (RFC 9701 §4) and does not rather want JSON (RFC 9110 §12.4.2).
 */
export function introspectionRoute(
  app: FastifyInstance,
  path: string,
  { issuer, clock, signingKey, answer }: IntrospectionRouteOptions,
): void {
  app.post(path, async (request, reply) => {
    void reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
    const { response, resourceServer, proof } = await answer(readOAuthRequest(request));
    request.logFields = {
      ...(resourceServer !== undefined && { aud: resourceServer.audience }),
      active: String(response.active),
      ...(proof !== undefined && { proof }),
    };
    const isSigned = prefers(request.headers.accept, [signedType], plainTypes);
    if (resourceServer === undefined || !isSigned) return response;
    const key = await signingKey(resourceServer.access_token_signing_alg);
    const claims = {
      iss: issuer,
      aud: resourceServer.client_id,
      iat: Math.floor(clock() / 1000),
      token_introspection: response,
    };
    return reply
      .header('content-type', signedType)
      .send(Buffer.from(await key.signJwt('token-introspection+jwt', claims)));
  });
}
