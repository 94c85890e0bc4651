import type { Clock } from '../clock.ts';
import { clampLifetimeMs, type FreshnessLimits } from './freshness.ts';
import type { FetchJwkSet, JwkSetDocument } from './jwk-set.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

/** Times in milliseconds. */
export interface RemoteJwksLimits extends FreshnessLimits {
  /** After a fetch of a URI nothing causes another for this long, `{ fresh: true }` neither, so unknown `kid` values cannot drive requests. */
  readonly coolDownMs: number;
  /** The same after a failed fetch. */
  readonly failureCoolDownMs: number;
  /** How long past its expiry a copy still serves while fetches fail. A key taken out of the set can live so much longer. */
  readonly staleMs: number;
  /** URIs remembered, the least recently used forgotten first; each may hold a set of the fetcher's largest size. */
  readonly maxUris: number;
}

/** Freshness of 1 minute to 24 hours, 10 minutes when the answer says nothing; cool-down 60 s, 30 s after a failure; stale for 1 hour; 500 URIs. */
export const defaultRemoteJwksLimits: RemoteJwksLimits = {
  minAgeMs: 60_000,
  maxAgeMs: 24 * 3_600_000,
  defaultAgeMs: 600_000,
  coolDownMs: 60_000,
  failureCoolDownMs: 30_000,
  staleMs: 3_600_000,
  maxUris: 500,
};

interface Copy {
  readonly jwks: JwkSetDocument;
  readonly expiresAt: number;
}

/** How the last fetch of a URI ended and when, and the last copy that was had. */
type Entry =
  | { readonly fetchedAt: number; readonly copy: Copy; readonly failure?: never }
  | { readonly fetchedAt: number; readonly copy?: Copy; readonly failure: RemoteJwksUnavailable };

export interface RemoteJwksOptions {
  readonly fetch: FetchJwkSet;
  readonly clock: Clock;
  readonly limits?: Partial<RemoteJwksLimits>;
  /** Told of every failed fetch, also when a stale copy hides it from the caller. */
  readonly onFailure?: (uri: string, failure: RemoteJwksUnavailable) => void;
}

/**
 * The JWK Sets behind registered `jwks_uri`s, as documents whose keys the caller still has to pass through the key gate: cached, one fetch
 * at a time for each URI, with a cool-down (security reference 61 and 62). The same copy is answered as the same object.
 * Rejects with `RemoteJwksUnavailable`.
 */
export function remoteJwks({
  fetch,
  clock,
  limits,
  onFailure,
}: RemoteJwksOptions): (
  uri: string,
  options?: { readonly fresh?: boolean },
) => Promise<JwkSetDocument> {
  const { coolDownMs, failureCoolDownMs, staleMs, maxUris, ...freshness } = {
    ...defaultRemoteJwksLimits,
    ...limits,
  };
  const entries = new Map<string, Entry>();
  // Apart from the entries, so that forgetting a URI never lets a second request start beside a running one.
  const running = new Map<string, Promise<JwkSetDocument>>();

  function remember(uri: string, entry: Entry): void {
    entries.delete(uri);
    entries.set(uri, entry);
    const [leastRecentlyUsed] = entries.keys();
    if (entries.size > maxUris && leastRecentlyUsed !== undefined)
      entries.delete(leastRecentlyUsed);
  }

  /** The copy if it may still serve after the failure, or the failure. */
  function afterFailure(copy: Copy | undefined, failure: RemoteJwksUnavailable): JwkSetDocument {
    if (copy !== undefined && clock() < copy.expiresAt + staleMs) return copy.jwks;
    // A new error, so that every caller's stack is its own.
    throw new RemoteJwksUnavailable(failure.reason, failure.code);
  }

  async function refetch(uri: string, copy: Copy | undefined): Promise<JwkSetDocument> {
    try {
      const { jwks, lifetimeMs } = await fetch(uri);
      const fetchedAt = clock();
      remember(uri, {
        copy: { jwks, expiresAt: fetchedAt + clampLifetimeMs(lifetimeMs, freshness) },
        fetchedAt,
      });
      return jwks;
    } catch (error) {
      if (!(error instanceof RemoteJwksUnavailable)) throw error;
      remember(uri, { ...(copy && { copy }), fetchedAt: clock(), failure: error });
      onFailure?.(uri, error);
      return afterFailure(copy, error);
    }
  }

  return async (uri, { fresh = false } = {}) => {
    const entry = entries.get(uri);
    if (entry !== undefined) {
      remember(uri, entry);
      const now = clock();
      if (entry.failure !== undefined) {
        if (now < entry.fetchedAt + failureCoolDownMs)
          return afterFailure(entry.copy, entry.failure);
      } else if (now < entry.fetchedAt + coolDownMs) return entry.copy.jwks;
      if (!fresh && entry.copy !== undefined && now < entry.copy.expiresAt) return entry.copy.jwks;
    }
    const underway =
      running.get(uri) ?? refetch(uri, entry?.copy).finally(() => running.delete(uri));
    running.set(uri, underway);
    return underway;
  };
}
