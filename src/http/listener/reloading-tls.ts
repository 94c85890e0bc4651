import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Logger } from 'pino';
import { answerUnparsable } from '../request/message-framing.ts';
import { answerHalfClosed, boundConnections, inactivity, serverLimits } from './server-limits.ts';
import { watchFiles } from './watched-files.ts';

/** A certificate and its key, as files. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Trust anchors for the certificates of clients. */
  readonly clientCaFile?: string;
}

/** The content of the files. */
export interface LoadedCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | readonly string[];
}

/** The server, and a way to stop watching its files. */
export type TlsListener = Server & { readonly stopWatching: () => void };

/** RFC 9325 §4.2: forward secrecy and authenticated encryption only. TLS 1.3 has its own suites. */
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
 * A TLS server that loads replaced files without a restart; a bad one is logged, and the old one
 * stays.
 * @param onLoad receives what is in force, also at the start
 */
export function reloadingTls(
  files: CertificateFiles,
  handler: RequestListener,
  logger: Logger,
  more: ServerOptions = {},
  onLoad: (loaded: LoadedCertificate) => void = () => undefined,
): TlsListener {
  const load = () => ({
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
    // Without the operator's own anchors nothing is trusted: Node would trust every public
    // authority (RFC 8705 §7.4).
    ca: files.clientCaFile === undefined ? [] : readFileSync(files.clientCaFile),
    minVersion: 'TLSv1.2' as const,
    ciphers: cipherSuites,
  });
  const options = { ...serverLimits, handshakeTimeout: serverLimits.headersTimeout, ...more };
  const first = load();
  onLoad(first);
  const server = createServer({ ...first, ...options }, handler);
  server.setTimeout(inactivity);
  boundConnections(server);
  answerHalfClosed(server);
  // Before the handshake, a connection that its client closes is closed entirely.
  server.prependListener('secureConnection', (socket) => {
    socket.allowHalfOpen = true;
  });
  server.on('clientError', answerUnparsable);
  // Node also reports a failed handshake as `clientError`, but nothing can be answered then.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const { certFile, keyFile, clientCaFile } = files;
  const stopWatching = watchFiles({
    paths: [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])],
    onChange() {
      try {
        const loaded = load();
        server.setSecureContext(loaded);
        onLoad(loaded);
        logger.info('TLS certificate reloaded');
      } catch (err) {
        logger.error({ err }, 'TLS certificate not reloaded; the old one stays');
      }
    },
  });
  return Object.assign(server, { stopWatching });
}
