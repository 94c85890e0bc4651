/** Decodes base64url that is written in the one canonical way: no padding, no unused bits, no other characters (RFC 7515 §2). */
export function decodeBase64url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const octets = Buffer.from(text, 'base64url');
  // Node decodes leniently; only the canonical spelling comes out again as it went in.
  return octets.toString('base64url') === text ? octets : undefined;
}
