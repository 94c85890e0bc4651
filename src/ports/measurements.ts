import type { RefusalReason } from '../domain/refusal-reasons.ts';

/** A request that has ended, as its log line has it. */
export interface EndedRequest {
  readonly method: string;
  /** The pattern of the path; `unknown` where there is none. */
  readonly route: string;
  /** Undefined: the connection broke before there was an answer. */
  readonly status?: number;
  readonly seconds: number;
  readonly fields: RequestFields;
}

/** What the log line of a request says besides method, route and status. */
export type RequestFields = Readonly<Record<string, string>> & {
  readonly reason?: RefusalReason;
  /** Of a token request: one of the grants that exist, or `other`. */
  readonly grant?: string;
};

/** What the parts of the server report; no report waits or fails. */
export interface Measurements {
  request(ended: EndedRequest): void;
  /** Counts a request that load shedding refused unread. */
  shed(): void;
  /** A step of the token endpoint took so many seconds. */
  step(name: string, seconds: number): void;
  /** Seconds by which `iat` of a DPoP proof is ahead of this server's clock. */
  proofOffset(seconds: number): void;
  /** A question to a store took so many seconds. */
  store(store: 'database' | 'redis', seconds: number, failed: boolean): void;
  /** Whether this Redis may throw replay records away. */
  redisMayEvict(may: boolean): void;
  /** A background job runs from now on, every so many milliseconds. */
  jobBegins(name: string, interval: number): void;
  /** A background job ran, or failed. */
  job(name: string, failed: boolean): void;
}

/** Measures how long the work takes and whether it fails. */
export function timed(
  measured: Pick<Measurements, 'store'> | undefined,
  store: 'database' | 'redis',
) {
  if (measured === undefined) return async <T>(work: () => Promise<T>): Promise<T> => work();
  return async <T>(work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    let failed = true;
    try {
      const result = await work();
      failed = false;
      return result;
    } finally {
      measured.store(store, (performance.now() - began) / 1000, failed);
    }
  };
}
