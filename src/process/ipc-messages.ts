/** What a worker says to the process that supervises it. */
export type FromWorker =
  /** It serves; `text` is for the operator. */
  | { readonly type: 'running'; readonly text: string }
  /** It changed something that the others may have copies of. */
  | { readonly type: 'changed'; readonly change: number }
  /** It has forgotten its copies. */
  | { readonly type: 'forgotten'; readonly round: number }
  /** It wants a part of every other one. */
  | { readonly type: 'gather'; readonly request: number }
  /** Its part for another one. */
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
