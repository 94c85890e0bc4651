import { DatabaseUrlError, databaseFile } from './database-url.ts';
import type { EnvironmentReader } from './environment.ts';

/** Where audit events are sent besides the database. */
export type AuditSinkConfig = {
  /** What tells this sink from others, without a query. */
  readonly name: string;
} & (
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'https';
      readonly url: string;
      readonly secret: string;
      readonly allowPrivateAddresses: boolean;
    }
);

/** The audit sink, where there is one. */
export interface AuditConfig {
  readonly auditSink?: AuditSinkConfig;
}

/** Reads the variables of the audit sink. */
export function readAuditConfig(read: EnvironmentReader): AuditConfig {
  const form = /^(stdout|file:.+|https:\/\/[^@]+)$/;
  const sink = read.matching('AUDIT_SINK', form, 'stdout, file:PATH or https://… without user');
  const secret = read.matchingSecret(
    'AUDIT_WEBHOOK_SECRET',
    /^[\x21-\x7e]{32,512}$/,
    'at least 32 printable characters without spaces',
  );
  const allowPrivateAddresses = read.flag('AUDIT_SINK_ALLOW_PRIVATE_ADDRESSES', false);
  if (sink === undefined) return {};
  if (sink === 'stdout') return { auditSink: { kind: 'stdout', name: sink } };
  if (sink.startsWith('file:')) {
    const path = filePath(read, sink);
    return { auditSink: { kind: 'file', name: `file:${path}`, path } };
  }
  const url = URL.canParse(sink) ? new URL(sink) : undefined;
  if (url === undefined || url.hash !== '')
    read.faults.push('AUDIT_SINK must be a URL without a fragment');
  if (secret === undefined) read.faults.push('AUDIT_SINK=https://… needs AUDIT_WEBHOOK_SECRET');
  const name = `${url?.origin}${url?.pathname}`;
  const webhook = { url: sink, secret: secret ?? '', allowPrivateAddresses };
  return { auditSink: { kind: 'https', name, ...webhook } };
}

function filePath(read: EnvironmentReader, sink: string): string {
  try {
    return databaseFile(sink);
  } catch (fault) {
    if (!(fault instanceof DatabaseUrlError)) throw fault;
    read.faults.push(`AUDIT_SINK has ${fault.message}`);
    return '';
  }
}
