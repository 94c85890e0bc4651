/** What a worker says to the process that supervises it. */
export type FromWorker =
  /** It is serving; `text` is for the operator. */
  | { readonly type: 'running'; readonly text: string }
  /** It changed something that other workers may have cached. */
  | { readonly type: 'changed'; readonly change: number }
  /** It has dropped its cached copies. */
  | { readonly type: 'forgotten'; readonly round: number }
  /** It asks every other worker for a part. */
  | { readonly type: 'gather'; readonly request: number }
  /** Its part for another worker. */
  | { readonly type: 'part'; readonly round: number; readonly part: unknown };

/** What the supervising process says to a worker. */
export type ToWorker =
  | { readonly type: 'forget'; readonly round: number }
  /** Every other worker has forgotten its copies. */
  | { readonly type: 'invalidated'; readonly change: number }
  /** Another worker wants its part. */
  | { readonly type: 'partWanted'; readonly round: number }
  /** The parts that were gathered. */
  | { readonly type: 'gathered'; readonly request: number; readonly parts: readonly unknown[] };
