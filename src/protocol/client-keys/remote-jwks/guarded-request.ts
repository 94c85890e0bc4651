import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import { allowedAddresses } from './address.ts';
import { type EgressProxy, goesDirectly, tunnelThrough } from './egress-proxy.ts';
import { type ResolveHost, resolveByDns, resolveBySystem } from './resolve.ts';
import { checkedAddresses, parseJwksUri, pinnedLookup } from './target.ts';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

/** Which servers a request may reach, and how. */
export interface GuardedRequestOptions {
  /** True: connects to private addresses, and the system resolves names. Default: false. */
  readonly allowPrivateAddresses?: boolean;
  /** The only PEM certificates to trust. Default: those that Node trusts. */
  readonly ca?: string;
  /** The proxy for outgoing requests. Default: none. */
  readonly proxy?: EgressProxy | undefined;
  /** Milliseconds for name resolution, connection, headers and body together. Default: 3,000. */
  readonly deadlineMs?: number;
  /** How names become addresses. Default: DNS; with `allowPrivateAddresses` the system. */
  readonly resolveHost?: ResolveHost;
}

/** Method, header fields and body of a request. */
export interface GuardedRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Target {
  readonly url: URL;
  /** Checked addresses of the host. */
  readonly addresses: readonly string[];
  readonly proxy: EgressProxy | undefined;
  readonly secureContext: SecureContext;
  readonly signal: AbortSignal;
}

/**
 * Sends a request, guarded against SSRF: over https, to checked addresses, without redirects,
 * credentials or compression, within one deadline. It is this server's only way to send requests to
 * others (ASVS 5.0 13.2.4, RFC 7591 §5). `read` parses the response. Throws only
 * `RemoteJwksUnavailable`.
 */
export function guardedRequests({
  allowPrivateAddresses = false,
  ca,
  proxy,
  deadlineMs = 3_000,
  resolveHost = allowPrivateAddresses ? resolveBySystem : resolveByDns,
}: GuardedRequestOptions) {
  const isAllowed = allowedAddresses(allowPrivateAddresses);
  // Created by the first request, because reading all root certificates would delay every start.
  let secureContext: SecureContext | undefined;
  return async <T>(
    uri: string,
    asked: GuardedRequest,
    read: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> => {
    const url = parseJwksUri(uri);
    const signal = AbortSignal.timeout(deadlineMs);
    const addresses = await checkedAddresses(url, isAllowed, resolveHost, signal);
    secureContext ??= createSecureContext({ ca: ca ?? getCACertificates() });
    return request({ url, addresses, proxy, secureContext, signal }, asked, read);
  };
}

async function request<T>(
  target: Target,
  { headers, ...asked }: GuardedRequest,
  read: (response: Dispatcher.ResponseData) => Promise<T>,
): Promise<T> {
  const { url, signal } = target;
  // One client per request, so that no connection is shared.
  const { Client } = await import('undici');
  const client = new Client(url.origin, { connect: await connector(target), allowH2: false });
  try {
    const response = await client.request({
      ...asked,
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, 'accept-encoding': 'identity', 'user-agent': 'holdfast' },
      signal,
    });
    // Without a listener, the destruction below would surface as an uncaught error.
    response.body.on('error', () => {});
    return await read(response);
  } catch (error) {
    if (error instanceof RemoteJwksUnavailable) throw error;
    throw new RemoteJwksUnavailable(
      signal.aborted ? 'deadline_exceeded' : 'connection_failed',
      errorCode(error),
    );
  } finally {
    client.destroy().catch(() => {});
  }
}

/** Connects only to the addresses that were checked, also through a proxy. */
async function connector({ url, addresses, proxy, secureContext, signal }: Target) {
  const tls = { secureContext, minVersion: 'TLSv1.2', signal } as const;
  const direct = { ...tls, lookup: pinnedLookup(addresses) };
  if (proxy === undefined || goesDirectly(proxy, url, addresses)) return direct;
  const httpSocket = await tunnelThrough(proxy, addresses[0] ?? '', url.port || '443', signal);
  const { buildConnector } = await import('undici');
  const connect = buildConnector(tls);
  return ((options, callback) => {
    connect({ ...options, httpSocket }, callback);
  }) satisfies typeof connect;
}
