import type { Logger } from 'pino';
import { type Config, ConfigError } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import { toStdout, toWebhook } from '../observability/audit-deliveries.ts';
import { auditFileFault, toFile } from '../observability/audit-file.ts';
import {
  type AuditSink,
  type DeliverEvents,
  followAuditTrail,
} from '../observability/audit-sink.ts';
import type { AuditSinkStore } from '../ports/audit-sink-store.ts';
import type { AuditLog } from '../ports/audit-trail.ts';
import type { RandomId } from '../ports/ports.ts';

export interface OpenAuditSinkOptions {
  readonly audit: AuditLog;
  readonly auditSink: AuditSinkStore;
  readonly clock: Clock;
  readonly databaseSeconds: () => Promise<number>;
  readonly randomId: RandomId;
  readonly logger: Logger;
}

/** Tells why AUDIT_SINK cannot take events, as far as known before the first one. */
export function auditSinkFault({ auditSink }: Pick<Config, 'auditSink'>): string | undefined {
  return auditSink?.kind === 'file' ? auditFileFault(auditSink.path) : undefined;
}

/** Refuses to start if AUDIT_SINK cannot take events. Throws ConfigError. */
export function requireAuditSink(config: Pick<Config, 'auditSink'>): void {
  const fault = auditSinkFault(config);
  if (fault !== undefined) throw new ConfigError(fault);
}

/** Starts sending audit events to AUDIT_SINK; undefined if that is not set. */
export function openAuditSink(
  { auditSink: sink, egressProxy }: Config,
  { audit, auditSink: store, clock, databaseSeconds, randomId, logger }: OpenAuditSinkOptions,
): AuditSink | undefined {
  if (sink === undefined) return undefined;
  const deliver = deliveryTo(sink, egressProxy, clock, logger);
  return followAuditTrail({
    name: sink.name,
    holder: randomId(),
    store,
    log: audit,
    clock,
    databaseSeconds,
    deliver,
    logger,
  });
}

function deliveryTo(
  sink: NonNullable<Config['auditSink']>,
  proxy: Config['egressProxy'],
  clock: Clock,
  logger: Logger,
): DeliverEvents {
  if (sink.kind === 'file') return toFile(sink.path, logger);
  if (sink.kind === 'https') return toWebhook({ ...sink, proxy }, clock);
  return toStdout((text, done) => process.stdout.write(text, done));
}
