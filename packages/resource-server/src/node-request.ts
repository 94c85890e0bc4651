import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { PresentedRequest } from './options.ts';
import type { TokenRefused } from './refusal.ts';

/** What an adapter is told once. */
export interface AdapterOptions<Request> {
  /** Public origin, such as `https://api.example.com`, with the path before the routes where a proxy takes one off. `Host` is the client's word and not asked. */
  readonly origin: string;
  /** The client's certificate, DER or PEM. Default: that of the TLS connection to this process. */
  readonly certificate?: (request: Request) => Uint8Array | string | undefined;
  /** Invalidated of every refusal, for log and metrics. */
  readonly onRefused?: (refused: TokenRefused, request: Request) => void;
}

/** A request of Node's HTTP server as the check takes it: header fields uncombined, the URI from configuration and the request target. */
export function presentedRequest(
  raw: IncomingMessage,
  target: string,
  origin: string,
  certificate: Uint8Array | string | undefined,
): PresentedRequest {
  return {
    method: raw.method ?? '',
    url: uriOf(origin, target),
    headers: raw.rawHeaders,
    certificate,
  };
}

/** The certificate of the TLS connection; whoever signed it, its key was proven by the handshake. */
export function peerCertificate({ socket }: IncomingMessage): Uint8Array | undefined {
  return (socket as Partial<TLSSocket>).getPeerX509Certificate?.()?.raw;
}

// A target in absolute form (RFC 9112 §3.2.2) names a host by the client's word: no proof fits the empty URI that comes of it.
function uriOf(origin: string, target: string): string {
  return target.startsWith('/') ? origin.replace(/\/$/, '') + target : '';
}
