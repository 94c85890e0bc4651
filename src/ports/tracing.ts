/** The trace that a request continues from elsewhere (W3C Trace Context §3.2). */
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
  /** Does the work within the span; spans that begin there are its children. */
  within(work: () => void): void;
  /** Ends the span; `fields` are identifiers and reasons, never a credential. */
  end(status: number | undefined, fields: Readonly<Record<string, string>>): void;
}

/** Sends traces to a collector. */
export interface Tracing {
  /** @param route the pattern of the path */
  begin(method: string, route: string, parent: TraceParent | undefined): RequestSpan;
  /** Does the work of a step in its own span. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Sends the remaining spans, for at most some seconds. */
  stop(): Promise<void>;
}
