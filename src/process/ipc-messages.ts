/** What a worker asks every other one: to drop its cached copies, or for its part of something. */
export type Question = 'forget' | 'part';

/** What a worker says to the process that supervises it. */
export type FromWorker =
  /** It is serving; `text` is for the operator. */
  | { readonly type: 'running'; readonly text: string }
  /** It asks every other worker. */
  | { readonly type: 'ask'; readonly what: Question; readonly request: number }
  /** It has done what another worker asks for, or sends its part. */
  | { readonly type: 'answer'; readonly round: number; readonly part?: unknown };

/** What the supervising process says to a worker. */
export type ToWorker =
  /** Another worker asks. */
  | { readonly type: 'asked'; readonly what: Question; readonly round: number }
  /** The answers of the other workers. */
  | { readonly type: 'answers'; readonly request: number; readonly parts: readonly unknown[] };
