import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { RandomId } from '../../ports/ports.ts';
import { answerReadyDocument } from '../listener/ready-document.ts';

/** `GET /jwks` (RFC 7517 §5): cacheable, with an entity tag, readable from any origin. Answers without the database. */
export function jwksRoute(
  app: FastifyInstance,
  path: string,
  publicJwks: () => object,
  maxAge: number,
  randomId: RandomId,
): void {
  let last:
    | {
        readonly jwks: object;
        readonly body: string;
        readonly fields: Readonly<Record<string, string>>;
        readonly etag: string;
      }
    | undefined;
  const render = () => {
    const jwks = publicJwks();
    if (last?.jwks !== jwks) {
      const body = JSON.stringify(jwks);
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      last = {
        jwks,
        body,
        etag,
        fields: {
          'cache-control': `public, max-age=${maxAge}`,
          etag,
          'access-control-allow-origin': '*',
        },
      };
    }
    return last;
  };
  const contentType = 'application/jwk-set+json; charset=utf-8';
  app.get(path, { config: { crossOrigin: 'document' } }, (request, reply) => {
    const { body, etag, fields } = render();
    void reply.headers(fields);
    const known = request.headers['if-none-match'];
    if (
      known !== undefined &&
      (known.trim() === '*' ||
        known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag))
    )
      return reply.code(304).send();
    return reply.type(contentType).send(body);
  });
  answerReadyDocument(app, path, contentType, render, randomId);
}
