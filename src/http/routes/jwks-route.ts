import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { hasCurrent } from '../request/if-none-match.ts';

/** The JWK Set as it is sent. */
interface Rendered {
  readonly jwks: object;
  readonly body: string;
  readonly etag: string;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * `GET /jwks` (RFC 7517 §5): cacheable, with an entity tag, readable from any origin. It does not
 * use the database.
 * @param publicJwks the same object until a key changes
 * @param maxAge seconds
 */
export function jwksRoute(
  app: FastifyInstance,
  path: string,
  publicJwks: () => object,
  maxAge: number,
): void {
  let last: Rendered | undefined;
  app.get(path, { config: { crossOrigin: 'document' } }, (request, reply) => {
    const jwks = publicJwks();
    if (last?.jwks !== jwks) last = render(jwks, maxAge);
    void reply.headers(last.fields);
    if (hasCurrent(request.headers['if-none-match'], last.etag)) return reply.code(304).send();
    return reply.type('application/jwk-set+json; charset=utf-8').send(last.body);
  });
}

function render(jwks: object, maxAge: number): Rendered {
  const body = JSON.stringify(jwks);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const fields = { 'cache-control': `public, max-age=${maxAge}`, etag };
  return { jwks, body, etag, fields: { ...fields, 'access-control-allow-origin': '*' } };
}
