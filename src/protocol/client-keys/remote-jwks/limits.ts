import type { FreshnessLimits } from './freshness.ts';

/** Limits of fetches and copies. Times in milliseconds. */
export interface RemoteJwksLimits extends FreshnessLimits {
  /** After a fetch of a URI nothing causes another for so long: no unknown `kid`, no forgery. */
  readonly coolDownMs: number;
  /** The same after a failed fetch. */
  readonly failureCoolDownMs: number;
  /** How long past its expiry a copy still serves while fetches fail, and a key taken out lives. */
  readonly staleMs: number;
  /** Bytes of the copies; those not used longest are forgotten first. */
  readonly maxBytes: number;
  /** URIs in a cool-down at a time; beyond that nothing is fetched. */
  readonly maxCoolDowns: number;
  /** Fetches at a time. */
  readonly maxFetches: number;
  /** Callers that wait for one fetch, and for all of them. */
  readonly maxWaiting: number;
  readonly maxWaitingForAll: number;
}

/**
 * Freshness of 1 minute to 24 hours, 10 minutes when the answer says nothing; cool-down 60 s, 30 s
 * after a failure; stale for 1 hour; 32 MiB of copies; 50,000 cool-downs of some 200 bytes each.
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
