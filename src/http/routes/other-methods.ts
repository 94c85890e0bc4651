import type { FastifyInstance, FastifyReply, HTTPMethods } from 'fastify';

const known: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Refuses every other method of each path registered from now on with 405 and `Allow` (RFC 9110
 * §15.5.6). Call it before the first route, and register all methods of a path together.
 * @param refuse sends the answer, or throws an error that the error handler turns into a 405
 */
export function refuseOtherMethods(
  app: FastifyInstance,
  refuse: (reply: FastifyReply) => FastifyReply,
): void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const seen = methods.get(url);
    for (const each of [method].flat()) seen?.add(each);
    if (seen !== undefined) return;
    methods.set(url, new Set([method].flat()));
    // A plugin loads after the code that registers it, when the path has all its methods.
    void app.register(async (others) => {
      const taken = new Set(methods.get(url));
      const allow = known.filter((name) => taken.has(name)).join(', ');
      others.route({
        method: known.filter((name) => !taken.has(name)),
        url,
        exposeHeadRoute: false,
        schema: { hide: true },
        // Answered before the body is read.
        onRequest: async (_request, reply) => refuse(reply.header('allow', allow)),
        handler: async () => undefined,
      });
    });
  });
}
