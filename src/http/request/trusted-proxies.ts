import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The longest text of an address, IPv4 within IPv6, and room for the name of an interface. */
const longestAddress = 64;

/** An address in text form, an IPv4 one in IPv6 form as IPv4; undefined when it is none. */
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
