import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Lets pages of other origins use the route (Fetch standard, "CORS protocol"). An `endpoint`
     * accepts credentials by POST, but not from pages without an origin (`null`). Everybody may
     * read a `document`.
     */
    readonly crossOrigin?: 'endpoint' | 'document';
  }
}

/** Seconds for which browsers remember a preflight; none does so for more than two hours. */
const preflightMaxAge = '7200';

/** Fields of every answer. Cookies are never used, so any origin may read it. */
const readable: readonly (readonly [string, string])[] = [
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', 'DPoP-Nonce, WWW-Authenticate, Date, Retry-After'],
];

const endpointPreflight = {
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'DPoP, Authorization, Content-Type',
  'access-control-max-age': preflightMaxAge,
};

const documentPreflight = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': '*',
  'access-control-max-age': preflightMaxAge,
};

/**
 * Answers preflights for every route with `crossOrigin` in its config, and lets pages of other
 * origins read its answers. Call it before the first route and after load shedding. The fields are
 * set before anything reads the request, so that refusals have them too (413, 429, 503): a page
 * that cannot read a refusal sees a network error.
 */
export function allowCrossOrigin(app: FastifyInstance): void {
  const routes = new Map<string, 'endpoint' | 'document'>();
  app.server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const kind = routes.get(pathOf(request.url ?? ''));
    if (kind === undefined) return;
    if (kind === 'endpoint') {
      // Not from a page, and no cache keeps the answer; fields set this early cost 8 µs.
      if (request.headers.origin === undefined) return;
      response.setHeader('vary', 'origin');
      // A sandboxed frame or a file, which anybody may have created.
      if (request.headers.origin === 'null') return;
    }
    for (const [name, value] of readable) response.setHeader(name, value);
  });
  app.addHook('onRoute', ({ url, config }) => {
    const kind = config?.crossOrigin;
    if (kind === undefined || routes.has(url)) return;
    routes.set(url, kind);
    app.options(url, ({ headers }, reply) => {
      const allow = kind === 'endpoint' ? 'POST, OPTIONS' : 'GET, HEAD, OPTIONS';
      void reply.code(204).header('allow', allow);
      if (kind === 'document') void reply.headers(documentPreflight);
      else if (headers.origin !== 'null') void reply.headers(endpointPreflight);
      return reply.send();
    });
  });
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}
