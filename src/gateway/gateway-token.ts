import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Whether the values of `Holdfast-Gateway-Token` are those of a gateway: the token, once. Without a
 * configured token, anybody on this machine may ask, and the field must be absent, because it would
 * come from the client or from an operator who believes that it is checked.
 */
export function gatewayTokens(
  expected: string | undefined,
): (presented: readonly string[]) => boolean {
  if (expected === undefined) return (presented) => presented.length === 0;
  const digest = digestOf(expected);
  return ([presented, ...more]) =>
    presented !== undefined && more.length === 0 && timingSafeEqual(digestOf(presented), digest);
}

const digestOf = (text: string) => createHash('sha256').update(text).digest();
