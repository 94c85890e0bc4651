import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { allowedAddresses } from './address.ts';
import { type EgressProxy, goesDirectly, tunnelThrough } from './egress-proxy.ts';
import { type FetchJwkSet, parseJwkSet } from './jwk-set.ts';
import { type ResolveHost, resolveByDns, resolveBySystem } from './resolve.ts';
import { freshnessOf, readBody } from './response.ts';
import { checkedAddresses, parseJwksUri, pinnedLookup } from './target.ts';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

/** What a fetch may reach, and how. */
export interface FetchOptions {
  /**
   * True: connects to private and loopback addresses, and resolves names by the operating system.
   * Default: false.
   */
  readonly allowPrivateAddresses?: boolean;
  /** PEM certificates that are trusted, and no others. Default: the ones that Node trusts. */
  readonly ca?: string;
  /** Through which requests leave. Default: none. */
  readonly proxy?: EgressProxy | undefined;
  /** Milliseconds for name resolution, connection, headers and body together. Default: 3,000. */
  readonly deadlineMs?: number;
  /** Largest body in bytes. Default: 65,536. */
  readonly maxBytes?: number;
  /**
   * How host names become addresses. Default: the DNS, or the operating system with
   * `allowPrivateAddresses`.
   */
  readonly resolveHost?: ResolveHost;
}

/** A body, and the freshness lifetime that its answer gave, in milliseconds. */
export interface Fetched {
  readonly body: Uint8Array;
  readonly lifetimeMs: number | undefined;
}

/** Fetches JSON once. Throws only `RemoteJwksUnavailable`. */
export type GuardedFetch = (uri: string) => Promise<Fetched>;

interface Target {
  readonly url: URL;
  /** Checked. */
  readonly addresses: readonly string[];
  readonly proxy: EgressProxy | undefined;
  readonly secureContext: SecureContext;
  readonly signal: AbortSignal;
}

async function request(target: Target, maxBytes: number): Promise<Fetched> {
  const { url, signal } = target;
  // One client for each request: no shared connection.
  const { Client } = await import('undici');
  const client = new Client(url.origin, { connect: await connector(target), allowH2: false });
  try {
    const response = await client.request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: {
        accept: 'application/jwk-set+json, application/json',
        'accept-encoding': 'identity',
        'user-agent': 'holdfast',
      },
      signal,
    });
    // Without a listener, the destruction below would surface as an uncaught error.
    response.body.on('error', () => {});
    return {
      body: await readBody(response, maxBytes),
      lifetimeMs: freshnessOf(response.headers),
    };
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

/** Connects to the addresses that were checked, and to no others, also through a proxy. */
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

/**
 * The only remote fetch of this server (ASVS 5.0 13.2.4, RFC 7591 §5): a GET over https to checked
 * addresses, without redirects, credentials or compression, within one deadline and size.
 */
export function guardedFetch({
  allowPrivateAddresses = false,
  ca,
  proxy,
  deadlineMs = 3_000,
  maxBytes = 65_536,
  resolveHost = allowPrivateAddresses ? resolveBySystem : resolveByDns,
}: FetchOptions = {}): GuardedFetch {
  const isAllowed = allowedAddresses(allowPrivateAddresses);
  // Made with the first fetch: reading every root certificate would keep each start waiting.
  let secureContext: SecureContext | undefined;
  return async (uri) => {
    const url = parseJwksUri(uri);
    const signal = AbortSignal.timeout(deadlineMs);
    const addresses = await checkedAddresses(url, isAllowed, resolveHost, signal);
    secureContext ??= createSecureContext({ ca: ca ?? getCACertificates() });
    return request({ url, addresses, proxy, secureContext, signal }, maxBytes);
  };
}

/** Fetches the JWK Set of a client. */
export function jwkSetFetcher(options: FetchOptions = {}): FetchJwkSet {
  const fetch = guardedFetch(options);
  return async (uri) => {
    const { body, lifetimeMs } = await fetch(uri);
    return { jwks: parseJwkSet(body), lifetimeMs };
  };
}
