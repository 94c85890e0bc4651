import type { AuditEvent } from '../domain/audit-event.ts';
import type { NewPairing, Pairing } from '../domain/pairing.ts';
import type { Change } from './registry.ts';

/**
 * Pairings as the admin sees them. Every change is one transaction with its record; all throw
 * StoreUnavailable if the store is unavailable.
 */
export interface PairingRegistry {
  /** Pairs two clients. `conflict`: they are already paired. A revoked pairing is replaced. */
  create(pairing: NewPairing, event: AuditEvent): Promise<NewPairing | 'conflict'>;
  get(id: string): Promise<Pairing | undefined>;
  /** Lists pairings by id, after `after`, revoked ones included. */
  list(query: {
    readonly limit: number;
    readonly after?: string;
    readonly requester?: string;
    readonly holder?: string;
    /** True: only those created by a declared configuration. */
    readonly managed?: boolean | undefined;
  }): Promise<readonly Pairing[]>;
  /**
   * Revokes a pairing and what was exchanged under it; returns it, even if already revoked, or
   * undefined if there is none. `tokenLifetime` is the maximum lifetime of a token in seconds.
   */
  revoke(id: string, change: Change, tokenLifetime: number): Promise<Pairing | undefined>;
}
