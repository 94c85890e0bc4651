import type { LookupFunction } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { allowedAddresses } from './address.ts';
import { type FetchedJwkSet, type FetchJwkSet, parseJwkSet } from './jwk-set.ts';
import { type ResolveHost, resolveByDns, resolveBySystem } from './resolve.ts';
import { freshnessOf, readBody } from './response.ts';
import { parseJwksUri, pinnedLookup } from './target.ts';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

export interface JwkSetFetchOptions {
  /**
   * True: connects to private and loopback addresses, and resolves names by the operating system.
   * Default: false.
   */
  readonly allowPrivateAddresses?: boolean;
  /** PEM certificates trusted in addition to the ones that Node trusts. */
  readonly ca?: string;
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

async function request(
  url: URL,
  lookup: LookupFunction,
  secureContext: SecureContext,
  maxBytes: number,
  signal: AbortSignal,
): Promise<FetchedJwkSet> {
  // One client for each request: no proxy from the environment, no shared connection.
  const { Client } = await import('undici');
  const client = new Client(url.origin, {
    connect: { lookup, secureContext, minVersion: 'TLSv1.2', signal },
    allowH2: false,
  });
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
      jwks: parseJwkSet(await readBody(response, maxBytes)),
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

/**
 * The only remote fetch of this server (ASVS 5.0 13.2.4, RFC 7591 §5): a GET over https to checked
 * addresses, without redirects, credentials, proxies or compression, within one deadline and size.
 */
export function jwkSetFetcher({
  allowPrivateAddresses = false,
  ca,
  deadlineMs = 3_000,
  maxBytes = 65_536,
  resolveHost = allowPrivateAddresses ? resolveBySystem : resolveByDns,
}: JwkSetFetchOptions = {}): FetchJwkSet {
  const isAllowed = allowedAddresses(allowPrivateAddresses);
  // Made with the first fetch: reading every root certificate would keep each start waiting.
  let secureContext: SecureContext | undefined;
  const trusting = () =>
    createSecureContext({
      ca: ca === undefined ? getCACertificates() : [...getCACertificates(), ca],
    });
  return async (uri) => {
    const url = parseJwksUri(uri);
    const signal = AbortSignal.timeout(deadlineMs);
    const lookup = await pinnedLookup(url, isAllowed, resolveHost, signal);
    secureContext ??= trusting();
    return request(url, lookup, secureContext, maxBytes, signal);
  };
}
