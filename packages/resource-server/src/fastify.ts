import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkRequiredScope } from './check-options.ts';
import {
  type AdapterOptions,
  checkAdapter,
  peerCertificate,
  presentedRequest,
  servedMetadata,
} from './node-request.ts';
import type { Presented, ResourceServer, VerifyPresented } from './options.ts';
import { TokenRefused } from './refusal.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who presented this request's access token, and its key; only behind `tokenRequired`. */
    presented: Presented;
  }
}

/**
 * An `onRequest` hook for each route that needs a token: `app.get('/events', { onRequest:
 * requireToken('calendar.read') }, …)`. Sets `request.presented`, or sends the refusal with its
 * challenges.
 */
export function tokenRequired(verify: VerifyPresented, options: AdapterOptions<FastifyRequest>) {
  checkAdapter(verify, options);
  const { origin, certificate, onRefused } = options;
  return (scope?: string) => {
    checkRequiredScope(scope);
    return async (
      request: FastifyRequest,
      reply: FastifyReply,
    ): Promise<FastifyReply | undefined> => {
      try {
        const shown =
          certificate === undefined ? peerCertificate(request.raw) : certificate(request);
        const presented = await verify(
          presentedRequest(request.raw, request.originalUrl, origin, shown),
          scope === undefined ? {} : { scope },
        );
        request.presented = presented;
        if (presented.dpopNonce !== undefined) void reply.header('dpop-nonce', presented.dpopNonce);
        return undefined;
      } catch (refused) {
        if (!(refused instanceof TokenRefused)) throw refused;
        onRefused?.(refused, request);
        for (const [name, value] of Object.entries(refused.headers)) void reply.header(name, value);
        return reply.code(refused.status).send(refused.body);
      }
    };
  };
}

/**
 * A plugin that serves the protected resource metadata at its well-known path (RFC 9728 §3.1):
 * `app.register(resourceMetadata(verify))`, at the root of the host.
 */
export function resourceMetadata(verify: Pick<ResourceServer, 'metadata'>) {
  const { pathname, search, document, headers } = servedMetadata(verify);
  // The router decodes paths and treats a colon as a parameter.
  const path = decodeURI(pathname).replaceAll(':', '::');
  return async (app: FastifyInstance): Promise<void> => {
    app.get(path, async (request, reply) =>
      request.originalUrl === pathname + search
        ? reply.headers(headers).send(document)
        : reply.callNotFound(),
    );
  };
}
