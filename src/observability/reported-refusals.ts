import type { RefusalReason } from '../domain/refusal-reasons.ts';
import type { AuditTrail } from '../ports/audit-trail.ts';

/** Maximum rows per record; further refusals are counted without their client. */
const maxRows = 200;

interface Row {
  readonly audience: string;
  readonly reason: RefusalReason;
  readonly client_id?: string;
  count: number;
}

/** Counts what gateways in `report` mode would refuse, by resource server, reason and client. */
export function reportedRefusals(audit: AuditTrail) {
  let rows = new Map<string, Row>();
  return {
    note(reason: RefusalReason, audience: string, clientId: string | undefined): void {
      const named = JSON.stringify([audience, reason, clientId]);
      const isRoom = rows.has(named) || rows.size < maxRows;
      const name = isRoom ? named : JSON.stringify([audience, reason]);
      const row = rows.get(name);
      if (row !== undefined) row.count++;
      else
        rows.set(name, {
          audience,
          reason,
          ...(isRoom && clientId !== undefined && { client_id: clientId }),
          count: 1,
        });
    },
    /** Writes the counts since the last call as one record, if there are any. */
    async flush(): Promise<void> {
      if (rows.size === 0) return;
      const counts = [...rows.values()];
      rows = new Map();
      await audit.record({
        type: 'gateway_refusals_reported',
        actor: 'server',
        detail: { counts },
      });
    },
  };
}
