import type { IncomingMessage, ServerResponse } from 'node:http';
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

declare global {
  namespace Express {
    interface Request {
      /** Who presented this request's access token, and its key; only behind `tokenRequired`. */
      presented: Presented;
    }
  }
}

/** The part of Express's request that is used, which `connect` has too. */
type ExpressRequest = IncomingMessage & { readonly originalUrl?: string; presented?: Presented };

/**
 * A middleware for each route that needs a token: `app.get('/events',
 * requireToken('calendar.read'), …)`. Sets `req.presented`, or sends the refusal with its
 * challenges.
 */
export function tokenRequired(verify: VerifyPresented, options: AdapterOptions<ExpressRequest>) {
  checkAdapter(verify, options);
  const { origin, certificate, onRefused } = options;
  return (scope?: string) => {
    checkRequiredScope(scope);
    return async (
      request: ExpressRequest,
      response: ServerResponse,
      next: (error?: unknown) => void,
    ): Promise<void> => {
      try {
        const shown = certificate === undefined ? peerCertificate(request) : certificate(request);
        const target = request.originalUrl ?? request.url ?? '';
        const presented = await verify(
          presentedRequest(request, target, origin, shown),
          scope === undefined ? {} : { scope },
        );
        request.presented = presented;
        if (presented.dpopNonce !== undefined)
          response.setHeader('dpop-nonce', presented.dpopNonce);
      } catch (refused) {
        if (!(refused instanceof TokenRefused)) return next(refused);
        onRefused?.(refused, request);
        for (const [name, value] of Object.entries(refused.headers))
          response.setHeader(name, value);
        response
          .writeHead(refused.status, { 'content-type': 'application/json' })
          .end(JSON.stringify(refused.body));
        return;
      }
      next();
    };
  };
}

/**
 * A middleware that serves the protected resource metadata at its well-known path (RFC 9728 §3.1):
 * `app.use(resourceMetadata(verify))`, at the root of the host.
 */
export function resourceMetadata(verify: Pick<ResourceServer, 'metadata'>) {
  const { pathname, search, document, headers } = servedMetadata(verify);
  const body = JSON.stringify(document);
  return (request: ExpressRequest, response: ServerResponse, next: () => void): void => {
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (reads && (request.originalUrl ?? request.url) === pathname + search)
      response.writeHead(200, headers).end(body);
    else next();
  };
}
