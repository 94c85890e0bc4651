import { hash } from 'node:crypto';
import type { Clock } from '../../../domain/clock.ts';
import { coolDowns } from './cool-downs.ts';
import { type Copies, type Copy, heldCopies } from './copies.ts';
import { flights, type WaitingElsewhere } from './flights.ts';
import { clampLifetimeMs } from './freshness.ts';
import { bytesOf, type FetchJwkSet, type JwkSetDocument } from './jwk-set.ts';
import { defaultRemoteJwksLimits, type RemoteJwksLimits } from './limits.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

export interface RemoteJwksOptions<Source = string> {
  readonly fetch: FetchJwkSet<Source>;
  readonly clock: Clock;
  readonly limits?: Partial<RemoteJwksLimits>;
  /** Called after every failed fetch, even when a stale copy hides it from the caller. */
  readonly onFailure?: (source: Source, failure: RemoteJwksUnavailable) => void;
  /** Wraps every wait for a fetch. Default: none. */
  readonly waitingElsewhere?: WaitingElsewhere;
}

/**
 * The JWK Sets behind URIs and other sources, whose keys the caller must still check. The same copy
 * is returned as the same object. Both methods that return a copy reject with
 * `RemoteJwksUnavailable`, whose `busy` means that there was no room to wait for it.
 */
export interface RemoteJwks<Source = string> {
  /** The copy in force: the last one that was due when fetched, or has been adopted since. */
  current(source: Source): Promise<JwkSetDocument>;
  /**
   * The newest copy, fetched now unless in the cool-down. It is not in force, because a caller who
   * signed nothing can cause a fetch and must not decide which keys have disappeared.
   */
  newest(source: Source): Promise<JwkSetDocument>;
  /** Puts the newest copy in force, if it is this one: one of its keys verified a signature. */
  adopt(source: Source, jwks: unknown): void;
}

/** Caches JWK Sets: one fetch at a time for each URI, and a cool-down after it. */
export function remoteJwks<Source = string>(
  options: RemoteJwksOptions<Source>,
): RemoteJwks<Source> {
  const { clock, onFailure, waitingElsewhere = async (work) => work() } = options;
  const limits = { ...defaultRemoteJwksLimits, ...options.limits };
  const copies = heldCopies(limits.maxBytes);
  const recent = coolDowns(clock, limits.maxCoolDowns);
  const fly = flights<Copy>(limits, waitingElsewhere);
  const afterFailure = (key: string, failure: RemoteJwksUnavailable) =>
    staleOr(failure, copies.get(key), clock() - limits.staleMs);

  async function fetchCopy(source: Source, key: string): Promise<Copy> {
    try {
      const { jwks, lifetimeMs } = await options.fetch(source);
      const now = clock();
      const copy = copyOf(jwks, now + clampLifetimeMs(lifetimeMs, limits));
      copies.set(key, withCopy(copies.get(key)?.inForce, copy, now));
      recent.begin(key, { until: now + limits.coolDownMs });
      return copy;
    } catch (error) {
      if (!(error instanceof RemoteJwksUnavailable)) throw error;
      recent.begin(key, { until: clock() + limits.failureCoolDownMs, failure: error });
      onFailure?.(source, error);
      throw error;
    }
  }

  async function fetched(source: Source, key: string): Promise<JwkSetDocument> {
    const coolDown = recent.of(key);
    if (coolDown !== undefined)
      return afterFailure(key, coolDown.failure ?? new RemoteJwksUnavailable('cooling_down'));
    if (recent.full()) throw new RemoteJwksUnavailable('too_many_fetches');
    return (await fly(key, async () => fetchCopy(source, key))).jwks;
  }

  const fetchedOrStale = async (source: Source, key: string, { evenBusy }: { evenBusy: boolean }) =>
    fetched(source, key).catch((error: unknown) => {
      if (!(error instanceof RemoteJwksUnavailable) || (error.busy && !evenBusy)) throw error;
      return afterFailure(key, error);
    });

  return {
    async current(source) {
      const key = keyOf(source);
      const held = copies.get(key);
      const now = clock();
      if (held !== undefined && now < held.inForce.expiresAt) return held.inForce.jwks;
      // The copy in force has expired, so the newer one takes its place.
      if (held?.newer !== undefined && now < held.newer.expiresAt) {
        copies.set(key, { inForce: held.newer });
        return held.newer.jwks;
      }
      return fetchedOrStale(source, key, { evenBusy: true });
    },
    newest: async (source) => fetchedOrStale(source, keyOf(source), { evenBusy: false }),
    adopt(source, jwks) {
      const key = keyOf(source);
      const newer = copies.get(key)?.newer;
      if (newer?.jwks === jwks && newer !== undefined) copies.set(key, { inForce: newer });
    },
  };
}

/** The latest copy if it expired after `oldest`; otherwise throws the failure. */
function staleOr(
  { reason, code }: RemoteJwksUnavailable,
  held: Copies | undefined,
  oldest: number,
): JwkSetDocument {
  const latest = held?.newer ?? held?.inForce;
  if (latest !== undefined && oldest < latest.expiresAt) return latest.jwks;
  // A new error, so that each caller gets its own stack.
  throw new RemoteJwksUnavailable(reason, code);
}

function copyOf(jwks: JwkSetDocument, expiresAt: number): Copy {
  const text = JSON.stringify(jwks);
  const digest = hash('sha256', text, 'base64url');
  return { jwks, expiresAt, digest, bytes: bytesOf(jwks, text) };
}

/** The copies after a fetch: the new one is in force if it was due or is unchanged. */
function withCopy(inForce: Copy | undefined, copy: Copy, now: number): Copies {
  const isDue = inForce === undefined || now >= inForce.expiresAt || inForce.digest === copy.digest;
  return isDue ? { inForce: copy } : { inForce, newer: copy };
}

/** The cache key of a source, hashed because a URI may be long. */
function keyOf(source: unknown): string {
  const text = typeof source === 'string' ? source : JSON.stringify(source);
  return hash('sha256', text, 'base64url');
}
