import type { FastifyInstance } from 'fastify';

/** Mounts the authorization server metadata at one of its paths (RFC 8414 §3, §5). */
export function metadataRoute(app: FastifyInstance, path: string, metadata: object): void {
  const body = JSON.stringify(metadata);
  app.get(path, { config: { crossOrigin: 'document' } }, (_request, reply) =>
    reply.header('cache-control', 'public, max-age=300').type('application/json').send(body),
  );
}
