/** Decodes canonical base64url: no padding, no unused bits, no other characters (RFC 7515 §2). */
export function decodeBase64url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64url');
  // Node decodes leniently. Only the canonical spelling survives the round trip.
  return bytes.toString('base64url') === text ? bytes : undefined;
}
