import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The block that IANA allocates for global unicast; everything outside it is reserved, local, or an
 * embedded IPv4 address.
 */
const ipv6GlobalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

type Range = ReturnType<ipaddr.IPv4['range']> | ReturnType<ipaddr.IPv6['range']>;

/** Networks of the operator. Link-local is excluded, because clouds serve credentials there. */
const privateRanges: readonly Range[] = ['private', 'loopback', 'carrierGradeNat', 'uniqueLocal'];

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // isIP is strict where ipaddr.js would read 0177.0.0.1 as octal; a zone id (RFC 4007 §11) names
  // an interface of this machine.
  return isIP(address) === 0 || address.includes('%') ? undefined : ipaddr.parse(address);
}

/**
 * ISATAP (RFC 5214 §6.1) embeds an IPv4 address behind any /64; the other embeddings have prefixes
 * that `range()` knows.
 */
function embedsIpv4(address: ipaddr.IPv6): boolean {
  const [, , , , high = 0, low = 0] = address.parts;
  return (high & 0xfdff) === 0 && low === 0x5efe;
}

/**
 * Whether an address in its canonical text form is globally reachable unicast (IANA special-purpose
 * registries, RFC 6890). False for anything that is not an IP address, has a zone id, or embeds an
 * IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP).
 */
export function isGlobalUnicast(address: string): boolean {
  const parsed = parse(address);
  if (parsed === undefined || parsed.range() !== 'unicast') return false;
  if (parsed instanceof ipaddr.IPv4) return true;
  return parsed.match(ipv6GlobalUnicast) && !embedsIpv4(parsed);
}

/** Which addresses connections may go to: public ones, and optionally the operator's networks. */
export function allowedAddresses(allowPrivateAddresses: boolean): (address: string) => boolean {
  return allowPrivateAddresses ? isGlobalUnicastOrPrivate : isGlobalUnicast;
}

/** Also allows private, loopback, carrier-grade NAT and unique local addresses. */
export function isGlobalUnicastOrPrivate(address: string): boolean {
  const parsed = parse(address);
  if (parsed === undefined) return false;
  return isGlobalUnicast(address) || privateRanges.includes(parsed.range());
}
