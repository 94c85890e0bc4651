import type { FreshnessLimits } from './freshness.ts';

/** Limits of fetches and copies. Times in milliseconds. */
export interface RemoteJwksLimits extends FreshnessLimits {
  /** How long after a fetch of a URI nothing, no unknown `kid` and no forgery, causes another. */
  readonly coolDownMs: number;
  /** The same after a failed fetch. */
  readonly failureCoolDownMs: number;
  /** How long an expired copy still serves while fetches fail, and a removed key still counts. */
  readonly staleMs: number;
  /** Bytes of the copies; the least recently used ones are evicted first. */
  readonly maxBytes: number;
  /** Maximum URIs in a cool-down; beyond that nothing is fetched. */
  readonly maxCoolDowns: number;
  /** Maximum concurrent fetches. */
  readonly maxFetches: number;
  /** Maximum callers that wait for one fetch, and for all of them. */
  readonly maxWaiting: number;
  readonly maxWaitingForAll: number;
}

/**
 * Freshness of 1 minute to 24 hours, 10 minutes by default; cool-down 60 s, 30 s after a failure;
 * stale for 1 hour; 32 MiB of copies; 50,000 cool-downs of some 200 bytes each.
 */
export const defaultRemoteJwksLimits: RemoteJwksLimits = {
  minAgeMs: 60_000,
  maxAgeMs: 24 * 3_600_000,
  defaultAgeMs: 600_000,
  coolDownMs: 60_000,
  failureCoolDownMs: 30_000,
  staleMs: 3_600_000,
  maxBytes: 32 * 1024 * 1024,
  maxCoolDowns: 50_000,
  maxFetches: 128,
  maxWaiting: 64,
  maxWaitingForAll: 1024,
};
