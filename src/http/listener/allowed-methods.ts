import type { FastifyInstance, FastifyReply, HTTPMethods } from 'fastify';

const all: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Answers 405 with `Allow` to every method of a path that no route takes (RFC 9110 §15.5.6). */
export function allowMethods(
  app: FastifyInstance,
  path: string,
  allowed: readonly HTTPMethods[],
): void {
  app.route({
    method: all.filter((method) => !allowed.includes(method)),
    url: path,
    exposeHeadRoute: false,
    // Answered before the body is read: a method that is not for this path needs no parsing.
    onRequest: async (_request, reply): Promise<FastifyReply> =>
      reply
        .code(405)
        .header('allow', allowed.join(', '))
        .header('cache-control', 'no-store')
        .send({ error: 'invalid_request', error_description: 'method not allowed' }),
    handler: async () => undefined,
  });
}
