import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The bytes of an IP address in hexadecimal, equal for every spelling (RFC 4291 §2.2). Undefined
 * for ambiguous spellings (`192.0.2.010`, `0x7f.1`), ranges, scopes and other texts.
 */
export function addressBytes(text: string): string | undefined {
  return isIP(text) === 0 || text.includes('%')
    ? undefined
    : Buffer.from(ipaddr.parse(text).toByteArray()).toString('hex');
}
