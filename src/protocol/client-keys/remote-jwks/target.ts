import { isIP, type LookupFunction } from 'node:net';
import type { ResolveHost } from './resolve.ts';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

/**
 * Parses a `jwks_uri` that may be fetched: printable ASCII, `https`, no user information, no
 * fragment, any port. The text is checked first, because parsing repairs what RFC 3986 forbids.
 * Throws `RemoteJwksUnavailable`.
 */
export function parseJwksUri(uri: string): URL {
  const url =
    /^https:\/\/[^/?@]+(?:[/?]|$)/i.test(uri) && !/[#\\]|[^!-~]/.test(uri) ? URL.parse(uri) : null;
  if (url === null) throw new RemoteJwksUnavailable('uri_not_allowed');
  return url;
}

/** Whether connections to this address are allowed. */
export type IsAllowed = (address: string) => boolean;

/**
 * Whether a URI may ever be fetched: it is well-formed, and its host is neither a forbidden address
 * nor, where loopback is forbidden, a name of this machine (RFC 6761 §6.3). Other names are
 * resolved and checked at each fetch.
 */
export function mayBeFetched(uri: string, isAllowed: IsAllowed): boolean {
  let url: URL;
  try {
    url = parseJwksUri(uri);
  } catch {
    return false;
  }
  const host = hostOf(url);
  if (isIP(host) !== 0) return isAllowed(host);
  return isAllowed('127.0.0.1') || !/(?:^|\.)localhost\.?$/.test(host);
}

/** The host without brackets; URL parsing has turned 2130706433, 0x7f.1 and such into 127.0.0.1. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Rejects when the signal fires, even if the work ignores it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return Promise.race([work, promise]);
}

async function resolve(
  host: string,
  resolveHost: ResolveHost,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const addresses = await orAborted(resolveHost(host, signal), signal).catch((error: unknown) => {
    throw new RemoteJwksUnavailable(
      signal.aborted ? 'deadline_exceeded' : 'name_not_resolved',
      errorCode(error),
    );
  });
  if (addresses.length === 0) throw new RemoteJwksUnavailable('name_not_resolved');
  return addresses;
}

/**
 * The addresses of a host, all checked; no second DNS query is made whose answer could differ
 * (rebinding). Throws `RemoteJwksUnavailable`.
 */
export async function checkedAddresses(
  url: URL,
  isAllowed: IsAllowed,
  resolveHost: ResolveHost,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolve(host, resolveHost, signal) : [host];
  // One forbidden address refuses the host, since Node may try every address of a list.
  if (!addresses.every(isAllowed)) throw new RemoteJwksUnavailable('address_not_allowed');
  return addresses;
}

/** A lookup that knows only these addresses. */
export function pinnedLookup(addresses: readonly string[]): LookupFunction {
  const records = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, { all }, callback) => {
    const [first] = records;
    if (all === true || first === undefined) callback(null, records);
    else callback(null, first.address, first.family);
  };
}
