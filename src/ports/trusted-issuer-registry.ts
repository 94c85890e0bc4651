import type { AuditEvent } from '../domain/audit-event.ts';
import type { NewTrustedIssuer, TrustedIssuer } from '../domain/trusted-issuer.ts';
import type { Change } from './registry.ts';

/**
 * Trusted OpenID providers as the admin sees them. Every change is one transaction with its record;
 * all throw StoreUnavailable when the store is away.
 */
export interface TrustedIssuerRegistry {
  /** `conflict`: the issuer is trusted already. */
  create(issuer: NewTrustedIssuer, change: Change): Promise<NewTrustedIssuer | 'conflict'>;
  get(id: string): Promise<TrustedIssuer | undefined>;
  /** In the order of their ids, those after `after`. */
  list(limit: number, after?: string): Promise<readonly TrustedIssuer[]>;
  /** False when there was none. */
  remove(id: string, event: AuditEvent): Promise<boolean>;
}
