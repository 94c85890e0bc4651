import { hash } from 'node:crypto';
import type { Clock } from '../../../domain/clock.ts';
import { coolDowns } from './cool-downs.ts';
import { type Copies, type Copy, heldCopies } from './copies.ts';
import { flights, type WaitingElsewhere } from './flights.ts';
import { clampLifetimeMs } from './freshness.ts';
import { bytesOf, type FetchJwkSet, type JwkSetDocument } from './jwk-set.ts';
import { defaultRemoteJwksLimits, type RemoteJwksLimits } from './limits.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

export interface RemoteJwksOptions {
  readonly fetch: FetchJwkSet;
  readonly clock: Clock;
  readonly limits?: Partial<RemoteJwksLimits>;
  /** Invalidated of every failed fetch, also when a stale copy hides it from the caller. */
  readonly onFailure?: (uri: string, failure: RemoteJwksUnavailable) => void;
  /** Around every wait for a fetch. Default: nothing is done. */
  readonly waitingElsewhere?: WaitingElsewhere;
}

/**
 * The JWK Sets behind URIs, as documents whose keys the caller still has to pass through the key
 * gate. The same copy is answered as the same object. Both ways to a copy reject with
 * `RemoteJwksUnavailable`, whose `busy` says that there was no room to wait for it.
 */
export interface RemoteJwks {
  /** The copy in force: the last one that was due when it was fetched, or was adopted since. */
  current(uri: string): Promise<JwkSetDocument>;
  /**
   * The newest copy, fetched now unless that was done within the cool-down. It is not in force:
   * whoever signed nothing can cause a fetch, and must not decide which keys have disappeared.
   */
  newest(uri: string): Promise<JwkSetDocument>;
  /**
   * Puts the newest copy in force, if it is this one: a signature by one of its keys was verified.
   */
  adopt(uri: string, jwks: unknown): void;
}

/** Caches JWK Sets: one fetch at a time for each URI, and a cool-down after it. */
export function remoteJwks(options: RemoteJwksOptions): RemoteJwks {
  const { clock, onFailure, waitingElsewhere = async (work) => work() } = options;
  const limits = { ...defaultRemoteJwksLimits, ...options.limits };
  const copies = heldCopies(limits.maxBytes);
  const recent = coolDowns(clock, limits.maxCoolDowns);
  const fly = flights<Copy>(limits, waitingElsewhere);

  /** The copy if it may still serve after the failure; otherwise throws the failure. */
  function afterFailure(held: Copies | undefined, failure: RemoteJwksUnavailable): JwkSetDocument {
    const latest = held?.newer ?? held?.inForce;
    if (latest !== undefined && clock() < latest.expiresAt + limits.staleMs) return latest.jwks;
    // A new error, so that every caller's stack is its own.
    throw new RemoteJwksUnavailable(failure.reason, failure.code);
  }

  function keep(key: string, copy: Copy, now: number): void {
    const inForce = copies.get(key)?.inForce;
    const isDue =
      inForce === undefined || now >= inForce.expiresAt || inForce.digest === copy.digest;
    copies.set(key, isDue ? { inForce: copy } : { inForce, newer: copy });
  }

  async function fetchCopy(uri: string, key: string): Promise<Copy> {
    try {
      const { jwks, lifetimeMs } = await options.fetch(uri);
      const now = clock();
      const text = JSON.stringify(jwks);
      const copy = {
        jwks,
        expiresAt: now + clampLifetimeMs(lifetimeMs, limits),
        digest: hash('sha256', text, 'base64url'),
        bytes: bytesOf(jwks, text),
      };
      keep(key, copy, now);
      recent.begin(key, { until: now + limits.coolDownMs });
      return copy;
    } catch (error) {
      if (!(error instanceof RemoteJwksUnavailable)) throw error;
      recent.begin(key, { until: clock() + limits.failureCoolDownMs, failure: error });
      onFailure?.(uri, error);
      throw error;
    }
  }

  async function fetched(uri: string, key: string): Promise<JwkSetDocument> {
    const coolDown = recent.of(key);
    if (coolDown !== undefined)
      return afterFailure(
        copies.get(key),
        coolDown.failure ?? new RemoteJwksUnavailable('cooling_down'),
      );
    if (recent.full()) throw new RemoteJwksUnavailable('too_many_fetches');
    return (await fly(key, async () => fetchCopy(uri, key))).jwks;
  }

  return {
    async current(uri) {
      const key = keyOf(uri);
      const held = copies.get(key);
      const now = clock();
      if (held !== undefined && now < held.inForce.expiresAt) return held.inForce.jwks;
      // The copy in force has expired as it should: whatever is newer takes its place.
      if (held?.newer !== undefined && now < held.newer.expiresAt) {
        copies.set(key, { inForce: held.newer });
        return held.newer.jwks;
      }
      return fetched(uri, key).catch((error: unknown) => {
        if (!(error instanceof RemoteJwksUnavailable)) throw error;
        return afterFailure(copies.get(key), error);
      });
    },
    async newest(uri) {
      const key = keyOf(uri);
      return fetched(uri, key).catch((error: unknown) => {
        if (!(error instanceof RemoteJwksUnavailable) || error.busy) throw error;
        return afterFailure(copies.get(key), error);
      });
    },
    adopt(uri, jwks) {
      const key = keyOf(uri);
      const newer = copies.get(key)?.newer;
      if (newer?.jwks === jwks && newer !== undefined) copies.set(key, { inForce: newer });
    },
  };
}

/** A URI may be long, and its text a part of a longer one. */
function keyOf(uri: string): string {
  return hash('sha256', uri, 'base64url');
}
