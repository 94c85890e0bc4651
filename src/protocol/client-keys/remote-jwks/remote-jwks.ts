import { hash } from 'node:crypto';
import type { Clock } from '../../../domain/clock.ts';
import { coolDowns } from './cool-downs.ts';
import { type Copies, type Copy, heldCopies } from './copies.ts';
import { flights, type WaitingElsewhere } from './flights.ts';
import { clampLifetimeMs } from './freshness.ts';
import { bytesOf, type FetchJwkSet, type JwkSetDocument } from './jwk-set.ts';
import { defaultRemoteJwksLimits, type RemoteJwksLimits } from './limits.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

/** What the copies of remote JWK Sets are made of. */
export interface RemoteJwksOptions {
  readonly fetch: FetchJwkSet;
  readonly clock: Clock;
  readonly limits?: Partial<RemoteJwksLimits>;
  /** Called after every failed fetch, also when a stale copy hides it from the caller. */
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
  const afterFailure = (key: string, failure: RemoteJwksUnavailable) =>
    staleOr(failure, copies.get(key), clock() - limits.staleMs);

  async function fetchCopy(uri: string, key: string): Promise<Copy> {
    try {
      const { jwks, lifetimeMs } = await options.fetch(uri);
      const now = clock();
      const copy = copyOf(jwks, now + clampLifetimeMs(lifetimeMs, limits));
      copies.set(key, withCopy(copies.get(key)?.inForce, copy, now));
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
      return afterFailure(key, coolDown.failure ?? new RemoteJwksUnavailable('cooling_down'));
    if (recent.full()) throw new RemoteJwksUnavailable('too_many_fetches');
    return (await fly(key, async () => fetchCopy(uri, key))).jwks;
  }

  const fetchedOrStale = async (uri: string, key: string, { evenBusy }: { evenBusy: boolean }) =>
    fetched(uri, key).catch((error: unknown) => {
      if (!(error instanceof RemoteJwksUnavailable) || (error.busy && !evenBusy)) throw error;
      return afterFailure(key, error);
    });

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
      return fetchedOrStale(uri, key, { evenBusy: true });
    },
    newest: async (uri) => fetchedOrStale(uri, keyOf(uri), { evenBusy: false }),
    adopt(uri, jwks) {
      const key = keyOf(uri);
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
  // A new error, so that every caller's stack is its own.
  throw new RemoteJwksUnavailable(reason, code);
}

function copyOf(jwks: JwkSetDocument, expiresAt: number): Copy {
  const text = JSON.stringify(jwks);
  const digest = hash('sha256', text, 'base64url');
  return { jwks, expiresAt, digest, bytes: bytesOf(jwks, text) };
}

/** What is held once a copy was fetched: it is in force when it is due or says the same. */
function withCopy(inForce: Copy | undefined, copy: Copy, now: number): Copies {
  const isDue = inForce === undefined || now >= inForce.expiresAt || inForce.digest === copy.digest;
  return isDue ? { inForce: copy } : { inForce, newer: copy };
}

/** A URI may be long, and its text a part of a longer one. */
function keyOf(uri: string): string {
  return hash('sha256', uri, 'base64url');
}
