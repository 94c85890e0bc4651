import type { SingleUse } from '../domain/single-use.ts';

/**
 * Whether a use was marked before. Only a hint: marking it decides. Throws if the store is
 * unavailable.
 */
export type WasUsed = (use: SingleUse) => Promise<boolean>;

export interface ReplayStore {
  /**
   * Marks every use in one atomic step and returns, in order, whether each was the first. Of
   * concurrent calls with one key, exactly one gets `true`. Throws if the store is unavailable.
   */
  markUsed(uses: readonly SingleUse[]): Promise<readonly boolean[]>;
}
