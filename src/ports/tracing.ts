/** Where the trace of a request began elsewhere (W3C Trace Context §3.2). */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** The span of one request. */
export interface RequestSpan {
  readonly traceId: string;
  /** Does the work within the span: what begins there is its child. */
  within(work: () => void): void;
  /** Ends it; `fields` are identifiers and reasons, never a credential. */
  end(status: number | undefined, fields: Readonly<Record<string, string>>): void;
}

/** Sends traces to a collector. */
export interface Tracing {
  /** @param route the pattern of the path */
  begin(method: string, route: string, parent: TraceParent | undefined): RequestSpan;
  /** Does the work of a step in a span of its own. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Sends what is left, for at most some seconds. */
  stop(): Promise<void>;
}
