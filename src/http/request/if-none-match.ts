/**
 * Whether a client that sent this `If-None-Match` has the representation with this entity tag, by
 * weak comparison (RFC 9110 §13.1.2).
 */
export function hasCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch?.trim() === '*') return true;
  const tags = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(etag);
}
