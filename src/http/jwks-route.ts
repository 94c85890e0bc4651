import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** `GET /jwks` (RFC 7517 §5): cacheable, with an entity tag, readable from any origin. Answers without the database. */
export function jwksRoute(app: FastifyInstance, path: string, publicJwks: () => object, maxAge: number): void {
  let last: { readonly jwks: object; readonly body: string; readonly etag: string } | undefined;
  const render = () => {
    const jwks = publicJwks();
    if (last?.jwks !== jwks) {
      const body = JSON.stringify(jwks);
      last = { jwks, body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
    }
    return last;
  };
  app.get(path, (request, reply) => {
    const { body, etag } = render();
    void reply.header('cache-control', `public, max-age=${maxAge}`).header('etag', etag).header('access-control-allow-origin', '*');
    const known = request.headers['if-none-match'];
    if (known !== undefined && (known.trim() === '*' || known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)))
      return reply.code(304).send();
    return reply.type('application/jwk-set+json').send(body);
  });
}
