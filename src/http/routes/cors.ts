import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { allowMethods } from '../listener/allowed-methods.ts';

/**
 * Seconds for which a browser remembers a preflight; no browser does so for longer than two hours.
 */
const preflightMaxAge = 7200;

/** What every answer says to pages of other origins. Cookies and the like are never meant: `*`. */
const readable: readonly (readonly [string, string])[] = [
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', 'DPoP-Nonce, WWW-Authenticate, Date, Retry-After'],
];

const preflight = {
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'DPoP, Authorization, Content-Type',
  'access-control-max-age': String(preflightMaxAge),
};

/** The paths that pages of other origins may use (Fetch standard §3.2, "CORS protocol"). */
export interface CrossOriginPaths {
  /** Endpoints that take credentials: not for pages without an origin of their own (`null`). */
  readonly endpoints: readonly string[];
  /** Documents that everybody may read. */
  readonly documents: readonly string[];
}

/**
 * Lets pages of other origins read the answers of these paths. The fields are set before anything
 * looks at the request, so that refusals carry them too (413, 429, 503): a page that may not read
 * a refusal sees a network error. Call it after whatever replaces the listeners of the server.
 */
export function allowCrossOrigin(
  app: FastifyInstance,
  { endpoints, documents }: CrossOriginPaths,
): void {
  const paths = new Map([
    ...endpoints.map((path) => [path, true] as const),
    ...documents.map((path) => [path, false] as const),
  ]);
  app.server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const takesCredentials = paths.get(pathOf(request.url ?? ''));
    if (takesCredentials === undefined) return;
    if (takesCredentials) {
      response.setHeader('vary', 'origin');
      // A sandboxed frame or a file: whose page it is nobody knows.
      if (request.headers.origin === 'null') return;
    }
    for (const [name, value] of readable) response.setHeader(name, value);
  });
  for (const path of endpoints) {
    app.options(path, (request, reply) => {
      void reply.code(204).header('allow', 'POST, OPTIONS');
      if (request.headers.origin !== 'null') void reply.headers(preflight);
      return reply.send();
    });
    allowMethods(app, path, ['POST', 'OPTIONS']);
  }
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/**
 * A document that any origin may read: 204 to the preflight of its path (Fetch standard,
 * "CORS-preflight request"), 405 to every method besides GET and HEAD.
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
        'access-control-max-age': String(preflightMaxAge),
      })
      .send(),
  );
  allowMethods(app, path, ['GET', 'HEAD', 'OPTIONS']);
}
