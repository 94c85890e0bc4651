import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Maximum characters of an address, with IPv4 in IPv6 and an interface name. */
const longestAddress = 64;

/** Reads an address, turning IPv4 in IPv6 form into IPv4; undefined if it is none. */
export function readAddress(text: string | undefined): Address | undefined {
  return text !== undefined && text.length <= longestAddress && ipaddr.isValid(text)
    ? ipaddr.process(text)
    : undefined;
}

/** Whether an address is in one of these CIDR ranges. */
export function inRanges(cidrs: readonly string[]): (address: Address | undefined) => boolean {
  const ranges = cidrs.map((cidr) => ipaddr.parseCIDR(cidr));
  return (address) =>
    address !== undefined &&
    ranges.some(([range, bits]) => address.kind() === range.kind() && address.match(range, bits));
}
