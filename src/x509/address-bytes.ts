import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The octets of an IP address in hexadecimal, the same for every spelling of it (RFC 4291 §2.2). Undefined for other texts, among them spellings that are
 * read in different ways (`192.0.2.010`, `0x7f.1`), ranges and scopes.
 */
export function addressBytes(text: string): string | undefined {
  return isIP(text) === 0 || text.includes('%')
    ? undefined
    : Buffer.from(ipaddr.parse(text).toByteArray()).toString('hex');
}
