import type { AuditEvent } from '../domain/audit-event.ts';
import type { NewPairing, Pairing } from '../domain/pairing.ts';
import type { Change } from './registry.ts';

/**
 * Pairings as the admin sees them. Every change is one transaction with its record; all throw
 * StoreUnavailable when the store is away.
 */
export interface PairingRegistry {
  /** Pairs two clients. `conflict`: they are paired already. A revoked pairing is replaced. */
  create(pairing: NewPairing, event: AuditEvent): Promise<NewPairing | 'conflict'>;
  get(id: string): Promise<Pairing | undefined>;
  /** Lists pairings by id, after `after`, revoked ones included. */
  list(query: {
    readonly limit: number;
    readonly after?: string;
    readonly requester?: string;
    readonly holder?: string;
    /** True: only those that a declared configuration made. */
    readonly managed?: boolean | undefined;
  }): Promise<readonly Pairing[]>;
  /**
   * Revokes a pairing and what was exchanged under it; answers it, also if it was revoked before,
   * or undefined if there is none. `tokenLifetime` is the longest life of a token in seconds.
   */
  revoke(id: string, change: Change, tokenLifetime: number): Promise<Pairing | undefined>;
}
