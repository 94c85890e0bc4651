/** How far the audit trail has been sent, and who sends it: one process at a time. */
export interface AuditSinkStore {
  /**
   * Takes or keeps the sink for so many milliseconds by the database's clock, in one atomic
   * statement; answers the `id` of the last delivered event, empty before the first. Undefined:
   * another process has it. Throws StoreUnavailable.
   */
  hold(sink: string, holder: string, milliseconds: number): Promise<string | undefined>;
  /**
   * Records what was delivered, and keeps the sink for so many milliseconds from now; false when it
   * is no longer this holder's.
   */
  advance(sink: string, holder: string, position: string, milliseconds: number): Promise<boolean>;
  /** The `id` of the last event that was delivered; empty before the first. */
  positionOf(sink: string): Promise<string>;
  /** Lets another process take it at once. */
  release(sink: string, holder: string): Promise<void>;
}
