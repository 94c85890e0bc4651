import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import { hostOf } from './target.ts';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

/** The proxy for this server's outgoing requests. */
export interface EgressProxy {
  /** `http` or `https`, with user and password if it requires them. */
  readonly url: string;
  /** The hosts that are reached without it, as in `NO_PROXY`. */
  readonly except: readonly string[];
}

/**
 * Whether a URL bypasses the proxy: by `*`, a host name or its suffix, an address, or a network
 * that contains all its addresses.
 */
export function goesDirectly(
  { except }: EgressProxy,
  url: URL,
  addresses: readonly string[],
): boolean {
  const host = hostOf(url);
  const port = url.port === '' ? '443' : url.port;
  return except.some((entry) => {
    if (entry === '*') return true;
    if (isIP(entry) !== 0 || entry.includes('/'))
      return addresses.every((address) => isWithin(address, entry));
    const [name = '', only = port] = entry
      .toLowerCase()
      .replace(/^\*?\./, '')
      .split(':');
    return name !== '' && only === port && (host === name || host.endsWith(`.${name}`));
  });
}

function isWithin(address: string, network: string): boolean {
  try {
    const [parsed, range] = [ipaddr.parse(address), ipaddr.parseCIDR(withPrefix(network))];
    return parsed.kind() === range[0].kind() && parsed.match(range);
  } catch {
    return false;
  }
}

function withPrefix(network: string): string {
  if (network.includes('/')) return network;
  return `${network}/${isIP(network) === 6 ? 128 : 32}`;
}

/**
 * Opens a connection through the proxy (RFC 9110 §9.3.6). The proxy gets the checked address; given
 * the name, its own DNS answer would decide. Throws `RemoteJwksUnavailable`.
 */
export async function tunnelThrough(
  { url }: EgressProxy,
  address: string,
  port: string,
  signal: AbortSignal,
): Promise<Socket> {
  const { protocol, hostname, port: proxyPort, username, password } = new URL(url);
  const target = `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const asked = (protocol === 'https:' ? httpsRequest : httpRequest)({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: proxyPort === '' ? (protocol === 'https:' ? 443 : 80) : proxyPort,
    method: 'CONNECT',
    path: target,
    headers: {
      host: target,
      ...(username !== '' && {
        'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}`,
      }),
    },
    agent: false,
    signal,
  });
  try {
    const [response, socket] = (await once(asked.end(), 'connect', { signal })) as [
      { readonly statusCode?: number },
      Socket,
    ];
    if (response.statusCode === 200) return socket;
    socket.destroy();
  } catch (error) {
    asked.destroy();
    throw new RemoteJwksUnavailable(
      signal.aborted ? 'deadline_exceeded' : 'proxy_failed',
      errorCode(error),
    );
  }
  throw new RemoteJwksUnavailable('proxy_failed');
}
