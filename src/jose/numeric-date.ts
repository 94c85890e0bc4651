/** Whether a claim is a time: seconds since the epoch, fractions allowed (RFC 7519 §2). */
export function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
