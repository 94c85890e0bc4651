/** How far the audit trail has been sent, and which single process sends it. */
export interface AuditSinkStore {
  /**
   * Takes or keeps the sink for so many milliseconds by the database's clock, in one atomic
   * statement; returns the `id` of the last delivered event, empty before the first. Undefined:
   * another process has it. Throws StoreUnavailable.
   */
  hold(sink: string, holder: string, milliseconds: number): Promise<string | undefined>;
  /**
   * Records the delivery and keeps the sink for so many milliseconds from now; false if this holder
   * no longer has it.
   */
  advance(sink: string, holder: string, position: string, milliseconds: number): Promise<boolean>;
  /** The `id` of the last delivered event; empty before the first. */
  positionOf(sink: string): Promise<string>;
  /** Lets another process take it immediately. */
  release(sink: string, holder: string): Promise<void>;
}
