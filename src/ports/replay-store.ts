import type { SingleUse } from '../domain/single-use.ts';

/**
 * Whether a use was marked before. A hint only: what counts once is decided by marking it. Throws
 * when the store is away.
 */
export type WasUsed = (use: SingleUse) => Promise<boolean>;

export interface ReplayStore {
  /**
   * Marks every use in one atomic step and answers, in order, whether each was the first. Of any
   * number of concurrent calls with one key exactly one is answered `true`. Throws when the store
   * is away.
   */
  markUsed(uses: readonly SingleUse[]): Promise<readonly boolean[]>;
}
