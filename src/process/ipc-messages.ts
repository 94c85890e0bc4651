/** What a worker asks of all others: to drop cached copies, or to send their part of something. */
export type Question = 'forget' | 'part';

/** Messages from a worker to the supervisor. */
export type FromWorker =
  /** The worker is serving; `text` is for the operator. */
  | { readonly type: 'running'; readonly text: string }
  /** The worker asks all other workers. */
  | { readonly type: 'ask'; readonly what: Question; readonly request: number }
  /** The worker has done what another one asked, or sends its part. */
  | { readonly type: 'answer'; readonly round: number; readonly part?: unknown };

/** Messages from the supervisor to a worker. */
export type ToWorker =
  /** Another worker asks. */
  | { readonly type: 'asked'; readonly what: Question; readonly round: number }
  /** The answers of the other workers. */
  | { readonly type: 'answers'; readonly request: number; readonly parts: readonly unknown[] };
