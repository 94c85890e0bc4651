import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import { toFile, toStdout, toWebhook } from '../observability/audit-deliveries.ts';
import {
  type AuditSink,
  type DeliverEvents,
  followAuditTrail,
} from '../observability/audit-sink.ts';
import type { AuditSinkStore } from '../ports/audit-sink-store.ts';
import type { AuditLog } from '../ports/audit-trail.ts';
import type { RandomId } from '../ports/ports.ts';

/** Options of the audit sink. */
export interface OpenAuditSinkOptions {
  readonly audit: AuditLog;
  readonly auditSink: AuditSinkStore;
  readonly clock: Clock;
  readonly randomId: RandomId;
  readonly logger: Logger;
}

/** Starts sending audit events to AUDIT_SINK; undefined if that is not set. */
export function openAuditSink(
  { auditSink: sink, egressProxy }: Config,
  { audit, auditSink: store, clock, randomId, logger }: OpenAuditSinkOptions,
): AuditSink | undefined {
  if (sink === undefined) return undefined;
  const deliver = deliveryTo(sink, egressProxy, clock);
  return followAuditTrail({
    name: sink.name,
    holder: randomId(),
    store,
    log: audit,
    clock,
    deliver,
    logger,
  });
}

function deliveryTo(
  sink: NonNullable<Config['auditSink']>,
  proxy: Config['egressProxy'],
  clock: Clock,
): DeliverEvents {
  if (sink.kind === 'file') return toFile(sink.path);
  if (sink.kind === 'https') return toWebhook({ ...sink, proxy }, clock);
  return toStdout((text, done) => process.stdout.write(text, done));
}
