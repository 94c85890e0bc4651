import type { FastifyInstance } from 'fastify';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import { readOAuthRequest } from '../request/read-oauth-request.ts';

/** Mounts `POST /revoke` (RFC 7009 §2), which answers 200 with an empty body. */
export function revocationRoute(
  app: FastifyInstance,
  path: string,
  revoke: (request: OAuthRequest) => Promise<void>,
): void {
  app.post(path, { config: { crossOrigin: 'endpoint' } }, async (request, reply) => {
    await revoke(readOAuthRequest(request));
    return reply.code(200).header('cache-control', 'no-store').header('pragma', 'no-cache').send();
  });
}
