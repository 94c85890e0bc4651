import type { AuditEvent } from '../domain/audit-event.ts';
import type { NewPairing, Pairing } from '../domain/pairing.ts';
import type { Change } from './registry.ts';

/**
 * Pairings as the admin sees them. Every change is one transaction with its record; all throw
 * StoreUnavailable when the store is away.
 */
export interface PairingRegistry {
  /** `conflict`: the two clients are paired already. A revoked pairing of the two is replaced. */
  create(pairing: NewPairing, event: AuditEvent): Promise<NewPairing | 'conflict'>;
  get(id: string): Promise<Pairing | undefined>;
  /** In the order of their ids, those after `after`; revoked ones included. */
  list(query: {
    readonly limit: number;
    readonly after?: string;
    readonly requester?: string;
    readonly holder?: string;
  }): Promise<readonly Pairing[]>;
  /**
   * The pairing, revoked now or before, or undefined when there is none. What was exchanged under
   * it is put among the revoked tokens; none lives longer than `tokenLifetime` in seconds.
   */
  revoke(id: string, change: Change, tokenLifetime: number): Promise<Pairing | undefined>;
}
