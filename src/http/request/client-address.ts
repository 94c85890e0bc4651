import type { IncomingMessage } from 'node:http';
import { forwardedNodes } from './forwarded.ts';
import { headerFields } from './header-fields.ts';
import { inRanges, readAddress } from './trusted-proxies.ts';

/**
 * The network of a request: an IPv4 address, or the /64 of an IPv6 address, which is what one
 * customer has. Behind trusted proxies it is the last hop that they do not vouch for, by
 * `X-Forwarded-For` or `Forwarded` (RFC 7239 §5.2), because anybody can write earlier hops. If both
 * fields are present and disagree, one of them came from outside, so it is the proxy itself.
 */
export function clientAddress(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => string {
  const isTrusted = inRanges(trustedProxies);
  return (request) => {
    const peer = readAddress(request.socket.remoteAddress);
    if (peer === undefined) return 'unknown';
    if (!isTrusted(peer)) return network(peer);
    const named = [forwardedFor(request), forwarded(request)]
      .filter((hops) => hops.length > 0)
      .map(lastUntrusted);
    const [first] = named;
    return first === undefined || named.some((other) => other !== first) ? network(peer) : first;
  };

  function lastUntrusted(hops: readonly string[]): string | undefined {
    for (const hop of hops.toReversed()) {
      const address = readAddress(withoutPort(hop));
      if (address === undefined) return undefined;
      if (!isTrusted(address)) return network(address);
    }
    return undefined;
  }
}

function network(address: NonNullable<ReturnType<typeof readAddress>>): string {
  if (address.kind() === 'ipv4') return address.toString();
  return `${address
    .toByteArray()
    .slice(0, 8)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')}/64`;
}

function forwardedFor(request: IncomingMessage): readonly string[] {
  return items(headerFields(request, 'x-forwarded-for'));
}

function forwarded(request: IncomingMessage): readonly string[] {
  return forwardedNodes(headerFields(request, 'forwarded').join(','));
}

function items(fields: readonly string[]): readonly string[] {
  const joined = fields.join(',').trim();
  return joined === '' ? [] : joined.split(',').map((item) => item.trim());
}

function withoutPort(hop: string): string {
  return hop.replace(/^\[([^\]]+)\](:\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
}
