import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { answerHalfClosed, boundConnections, inactivity, serverLimits } from './server-limits.ts';
import { anchorsInForce } from './trust-anchors.ts';
import { watchFiles } from './watched-files.ts';

/** Files of the TLS listener. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Trust anchors for clients; without it only self-signed certificates can authenticate. */
  readonly clientCaFile?: string;
}

/** The server, and a way to stop looking at its files. */
export type TlsListener = Server & { readonly stopWatching: () => void };

/**
 * RFC 9325 §4.2: forward secrecy and authenticated encryption only. Those of TLS 1.3 are its own.
 */
const cipherSuites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/**
 * The same routes over TLS that asks for a client certificate (RFC 8705 §5). The handshake lets any
 * certificate in: whose chain holds is the authentication's business. Replaced files are taken up
 * without a restart; a bad one is logged, and the old one stays.
 */
export function tlsListener(app: FastifyInstance, files: TlsFiles, logger: Logger): TlsListener {
  const load = () => ({
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
    // Without anchors of the operator's own nobody's word counts: Node would take that of every
    // public authority (RFC 8705 §7.4).
    ca: files.clientCaFile === undefined ? [] : readFileSync(files.clientCaFile),
    minVersion: 'TLSv1.2' as const,
    ciphers: cipherSuites,
  });
  const options = {
    ...serverLimits,
    handshakeTimeout: serverLimits.headersTimeout,
    allowHalfOpen: true,
    requestCert: true,
    rejectUnauthorized: false,
  };
  // By way of the plain listener's own event, so that load is shed there for both.
  const anchors = anchorsInForce(load().ca);
  const server = createServer({ ...load(), ...options }, (request, response) =>
    app.server.emit('request', request, response),
  );
  server.on('connection', anchors.began).on('secureConnection', anchors.done);
  server.setTimeout(inactivity);
  boundConnections(server);
  answerHalfClosed(server);
  const { certFile, keyFile, clientCaFile } = files;
  const stopWatching = watchFiles({
    paths: [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])],
    onChange() {
      try {
        const loaded = load();
        server.setSecureContext(loaded);
        if (anchors.replace(loaded.ca)) server.closeIdleConnections();
        logger.info('TLS certificate reloaded');
      } catch (err) {
        logger.error({ err }, 'TLS certificate not reloaded; the old one stays');
      }
    },
  });
  return Object.assign(server, { stopWatching });
}
