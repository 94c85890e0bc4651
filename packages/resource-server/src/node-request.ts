import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import {
  callback,
  checkOptions,
  must,
  optional,
  urlCheck,
} from '../../client/src/option-checks.ts';
import type { PresentedRequest, ResourceServer } from './options.ts';
import type { TokenRefused } from './refusal.ts';

/** Options of an adapter. */
export interface AdapterOptions<Request> {
  /** Public origin, such as `https://api.example.com`, and the path that a proxy removes. */
  readonly origin: string;
  /** Reads the client certificate, DER or PEM. Default: that of the TLS connection. */
  readonly certificate?: (request: Request) => Uint8Array | string | undefined;
  /** Called with every refusal, for logs and metrics. */
  readonly onRefused?: (refused: TokenRefused, request: Request) => void;
}

/** Checks what an adapter is given. Throws TypeError. */
export function checkAdapter(verify: unknown, options: unknown): void {
  const whose = 'tokenRequired';
  const isFunction = (value: unknown) => typeof value === 'function';
  must('the function that resourceServer returned', isFunction)(`${whose}: verify`, verify);
  checkOptions<AdapterOptions<never>>(whose, options, {
    origin: urlCheck({ plainHttp: true }),
    certificate: optional(callback),
    onRefused: optional(callback),
  });
}

/** Converts a request of Node's HTTP server; the URI never depends on `Host`. */
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

/** The client certificate of the TLS connection. */
export function peerCertificate({ socket }: IncomingMessage): Uint8Array | undefined {
  return (socket as Partial<TLSSocket>).getPeerX509Certificate?.()?.raw;
}

// In absolute form (RFC 9112 §3.2.2) the client names the host; no proof fits the empty URI.
function uriOf(origin: string, target: string): string {
  return target.startsWith('/') ? origin.replace(/\/$/, '') + target : '';
}

/** The metadata and the fields of its answer, which pages of any origin may read. */
export function servedMetadata(verify: Pick<ResourceServer, 'metadata'>) {
  const isServer = (value: unknown) => typeof value === 'function' || typeof value === 'object';
  must('what resourceServer returned', isServer)('resourceMetadata: its argument', verify);
  const { metadata } = verify;
  if (metadata === undefined) throw new TypeError('resourceServer was created without `metadata`');
  const { pathname, search } = new URL(metadata.url);
  return {
    pathname,
    search,
    document: metadata.document,
    headers: {
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=300',
      'content-type': 'application/json',
    },
  };
}
