/** How long a fetched JWK Set may be used, all in milliseconds. */
export interface FreshnessLimits {
  /** Applied if the response says less, or `no-store`. */
  readonly minAgeMs: number;
  /** Applied if the response says more. */
  readonly maxAgeMs: number;
  /** Applied if the response says nothing. */
  readonly defaultAgeMs: number;
}

function seconds(digits: string): number {
  // An argument that is not a number counts as stale (RFC 9111 §4.2.1).
  return /^\d+$/.test(digits) ? Number(digits) : 0;
}

/**
 * The freshness lifetime that `Cache-Control` and `Age` give, in milliseconds, or undefined when
 * they give none (RFC 9111 §4.2.1, §5.2.2). Of several `max-age` the smallest counts; `s-maxage`
 * and `Expires` are not read.
 */
export function freshnessLifetimeMs(
  cacheControl: string | undefined,
  age: string | undefined,
): number | undefined {
  const directives = (cacheControl ?? '')
    .split(',')
    .map((directive) => directive.trim().toLowerCase());
  if (directives.some((directive) => /^no-(store|cache)\b/.test(directive))) return 0;
  const maxAges = directives.flatMap((directive) => {
    const [name, value = ''] = directive.split('=', 2);
    return name?.trim() === 'max-age' ? [seconds(value.trim().replace(/^"(.*)"$/, '$1'))] : [];
  });
  if (maxAges.length === 0) return undefined;
  return Math.max(0, Math.min(...maxAges) - (age === undefined ? 0 : seconds(age.trim()))) * 1000;
}

/** The lifetime within the limits, in milliseconds. */
export function clampLifetimeMs(
  lifetimeMs: number | undefined,
  { minAgeMs, maxAgeMs, defaultAgeMs }: FreshnessLimits,
): number {
  return Math.min(maxAgeMs, Math.max(minAgeMs, lifetimeMs ?? defaultAgeMs));
}
