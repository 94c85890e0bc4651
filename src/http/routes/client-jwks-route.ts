import type { FastifyInstance } from 'fastify';
import { signatureJwks } from '../../domain/client-registration.ts';
import { forVerifiers } from '../../jose/public-members.ts';
import type { ClientRegistrations } from '../../ports/ports.ts';

/**
 * Mounts `GET /clients/{client_id}/jwks`: the registered keys of a client, for resource servers
 * that receive `jku` and `kid` in `cnf` (RFC 7800 §3.5).
 */
export function clientJwksRoute(
  app: FastifyInstance,
  path: string,
  clients: ClientRegistrations,
  maxAge: number,
): void {
  const config = { crossOrigin: 'document' } as const;
  app.get<{ Params: { client_id: string } }>(path, { config }, async ({ params }, reply) => {
    const client = await clients.findClient(params.client_id);
    // Encryption keys of the client do not concern resource servers.
    const keys =
      client === undefined || client.disabled ? [] : signatureJwks(client).map(forVerifiers);
    // Unknown and disabled clients, and those without keys by value, look the same.
    if (keys.length === 0)
      return reply
        .code(404)
        .header('cache-control', 'no-store')
        .send({ error: 'invalid_request', error_description: 'there is nothing at this path' });
    return reply
      .header('cache-control', `public, max-age=${maxAge}`)
      .header('access-control-allow-origin', '*')
      .type('application/jwk-set+json')
      .send(JSON.stringify({ keys }));
  });
}
