/** What a worker says to the process that supervises it. */
export type FromWorker =
  /** It serves; `text` is for the operator. */
  | { readonly type: 'running'; readonly text: string }
  /** It changed something that the others may have copies of. */
  | { readonly type: 'changed'; readonly change: number }
  /** It has forgotten its copies. */
  | { readonly type: 'forgotten'; readonly round: number };

/** What the supervising process says to a worker. */
export type ToWorker =
  | { readonly type: 'forget'; readonly round: number }
  /** Every other worker has forgotten its copies. */
  | { readonly type: 'told'; readonly change: number };
