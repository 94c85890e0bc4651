import type { FastifyInstance, HTTPMethods } from 'fastify';
import { Problem } from './problem.ts';

const all: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Listens to the routes that are mounted from now on; the answer, called after the last one, makes every other method of their paths a 405 with `Allow` (RFC 9110 §15.5.6). */
export function allowedMethodsPerPath(app: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  let collecting = true;
  app.addHook('onRoute', ({ url, method }) => {
    if (collecting) methods.set(url, new Set([...(methods.get(url) ?? []), ...[method].flat()]));
  });
  return () => {
    collecting = false;
    for (const [url, allowed] of methods) {
      const method = all.filter((name) => !allowed.has(name));
      const allow = [...allowed].join(', ');
      app.route({
        method,
        url,
        exposeHeadRoute: false,
        schema: { hide: true },
        // Answered before the body is read: a method that is not for this path needs no parsing.
        onRequest: (_request, reply, done) => {
          void reply.header('allow', allow);
          done(new Problem(405, 'the method is not for this path'));
        },
        handler: async () => undefined,
      });
    }
  };
}
