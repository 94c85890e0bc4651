import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import type { JWK } from 'jose';

/** Start and end of a request in milliseconds since the run began, by a clock without faults. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The status, or `lost`: without an answer the request may have taken effect, or still may. */
interface Answered extends Span {
  readonly status: number | 'lost';
  /** Address of the replica that answered, if known. */
  readonly by?: string;
}

/** One type per operation on a client. */
type OfClient<Op extends string> = Op extends string
  ? Answered & { readonly op: Op; readonly client: string }
  : never;

/** A request with its answer, or a fault. */
export type Entry =
  /** `uses`: names of the proofs and assertions in it; `token` of a 200. */
  | (Answered & {
      readonly op: 'token';
      readonly client: string;
      readonly uses: readonly string[];
      readonly token?: string;
    })
  /** `uses`: proofs that it presented along with the token; `proofValid`: they counted. */
  | (Answered & {
      readonly op: 'introspect';
      readonly jti: string;
      readonly active?: boolean;
      readonly uses: readonly string[];
      readonly proofValid?: boolean;
    })
  | OfClient<'register' | 'disable' | 'enable' | 'delete' | 'revoke_client_tokens'>
  | (Answered & { readonly op: 'look_up'; readonly client: string; readonly disabled?: boolean })
  | (Answered & {
      readonly op: 'revoke_token';
      readonly jti: string;
      readonly uses: readonly string[];
    })
  | (Answered & { readonly op: 'revoke_key_tokens'; readonly jkt: string })
  | (Answered & { readonly op: 'rotate'; readonly immediately: boolean; readonly kid?: string })
  | (Answered & { readonly op: 'revoke_signing_key'; readonly kid: string })
  | (Answered & { readonly op: 'jwks'; readonly keys?: readonly JWK[] })
  /** `target`: `postgresql`, `redis` or the address of a replica. */
  | (Span & { readonly op: 'fault'; readonly fault: string; readonly target: string });

/** Entries of some operations. */
export type EntryOf<Op extends Entry['op']> = Extract<Entry, { readonly op: Op }>;

/** All entries of these operations. */
export function entriesOf<Op extends Entry['op']>(
  history: readonly Entry[],
  ...ops: readonly Op[]
): readonly EntryOf<Op>[] {
  return history.filter((entry): entry is EntryOf<Op> => ops.some((op) => op === entry.op));
}

/** Whether the answer confirms the operation. */
export function done({ status }: Pick<Answered, 'status'>): boolean {
  return status !== 'lost' && status >= 200 && status < 300;
}

/** Whether the operation may have taken effect: confirmed, lost, or 5xx. */
export function mayBeDone({ status }: Pick<Answered, 'status'>): boolean {
  return status === 'lost' || status >= 500 || status < 300;
}

/** When it took effect at the latest; an unanswered request may still be in progress. */
export function effectEnd(entry: Answered): number {
  return done(entry) ? entry.end : Number.POSITIVE_INFINITY;
}

/** Writes entries as they end. */
export interface Recorder {
  add(entry: Entry): void;
  /** Resolves when the file is complete. */
  close(): Promise<void>;
}

/** Writes JSON Lines to a file. */
export function recorder(file: string): Recorder {
  const stream = createWriteStream(file);
  return {
    add: (entry) => void stream.write(`${JSON.stringify(entry)}\n`),
    async close() {
      stream.end();
      await once(stream, 'close');
    },
  };
}

/** Reads a file that `recorder` wrote. */
export function readRecord(file: string): readonly Entry[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
}
