import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { type CertificateFiles, reloadingTls, type TlsListener } from './reloading-tls.ts';
import { type AnchorsInForce, anchorsInForce } from './trust-anchors.ts';

export type { TlsListener } from './reloading-tls.ts';

/**
 * The same routes over TLS that asks for a client certificate (RFC 8705 §5). The handshake accepts
 * any certificate; client authentication checks the chain. Without anchors for clients, only
 * self-signed certificates can authenticate.
 */
export function tlsListener(
  app: FastifyInstance,
  files: CertificateFiles,
  logger: Logger,
): TlsListener {
  let anchors: AnchorsInForce | undefined;
  const server: TlsListener = reloadingTls(
    files,
    // Through the plain listener's own event, so that its load shedding covers both.
    (request, response) => app.server.emit('request', request, response),
    logger,
    { requestCert: true, rejectUnauthorized: false },
    ({ ca }) => {
      if (anchors === undefined) anchors = anchorsInForce(ca);
      else if (anchors.replace(ca)) server.closeIdleConnections();
    },
  );
  if (anchors !== undefined) {
    const { began, done }: AnchorsInForce = anchors;
    server.on('connection', began).on('secureConnection', done);
  }
  return server;
}
