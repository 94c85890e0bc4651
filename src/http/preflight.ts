import type { FastifyInstance } from 'fastify';
import { refuseOtherMethods } from './other-methods.ts';

/** Seconds; browsers keep it for two hours at most. */
const maxAge = 7200;

/**
 * A document that any origin may read: 204 to the preflight of its path (Fetch standard, "CORS-preflight
 * request"), 405 to every method besides GET and HEAD.
 */
export function readableFromAnywhere(app: FastifyInstance, path: string): void {
  app.options(path, (_request, reply) =>
    reply
      .code(204)
      .headers({
        allow: 'GET, HEAD, OPTIONS',
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET, HEAD',
        'access-control-allow-headers': '*',
        'access-control-max-age': String(maxAge),
      })
      .send(),
  );
  refuseOtherMethods(app, path, ['GET', 'HEAD', 'OPTIONS']);
}
