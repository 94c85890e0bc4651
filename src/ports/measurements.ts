import type { RefusalReason } from '../domain/refusal-reasons.ts';

/** A finished request, as in its log line. */
export interface EndedRequest {
  readonly method: string;
  /** The pattern of the path; `unknown` if there is none. */
  readonly route: string;
  /** Undefined if the connection broke before an answer. */
  readonly status?: number;
  readonly seconds: number;
  readonly fields: RequestFields;
}

/** Fields of a request's log line besides method, route and status. */
export type RequestFields = Readonly<Record<string, string>> & {
  readonly reason?: RefusalReason;
  /** For a token request, one of the existing grants or `other`. */
  readonly grant?: string;
};

/** What the parts of the server report; no report waits or fails. */
export interface Measurements {
  request(ended: EndedRequest): void;
  /** Counts a request that load shedding refused without reading it. */
  shed(): void;
  /** Reports that a step of the token endpoint took so many seconds. */
  step(name: string, seconds: number): void;
  /** Seconds by which `iat` of a DPoP proof is ahead of this server's clock. */
  proofOffset(seconds: number): void;
  /** Reports that a query of a store took so many seconds. */
  store(store: 'database' | 'redis', seconds: number, failed: boolean): void;
  /** Reports whether this Redis may evict replay records. */
  redisMayEvict(may: boolean): void;
  /** Reports that a background job runs from now on, every so many milliseconds. */
  jobBegins(name: string, interval: number): void;
  /** Reports that a background job ran, or failed. */
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
