import { DatabaseUrlError, databaseFile } from './database-url.ts';
import type { EnvironmentReader } from './environment.ts';

/** Where audit events are sent besides the database. */
export type AuditSinkConfig = {
  /** Identifies this sink, without the query of a URL. */
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

/** The audit sink, if there is one. */
export interface AuditConfig {
  readonly auditSink?: AuditSinkConfig;
}

/** Reads the variables of the audit sink. */
export function readAuditConfig(read: EnvironmentReader): AuditConfig {
  const sink = read.text('AUDIT_SINK');
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
    if (path === undefined) return {};
    return { auditSink: { kind: 'file', name: `file:${path}`, path } };
  }
  const url = sink.startsWith('https://') && URL.canParse(sink) ? new URL(sink) : undefined;
  if (url === undefined || sink.includes('@') || url.hash !== '') {
    read.faults.push(
      'AUDIT_SINK must be stdout, file:PATH or https://HOST/PATH, without user and fragment',
    );
    return {};
  }
  if (secret === undefined) read.faults.push('AUDIT_SINK=https://… needs AUDIT_WEBHOOK_SECRET');
  const name = `${url.origin}${url.pathname}`;
  const webhook = { url: sink, secret: secret ?? '', allowPrivateAddresses };
  return { auditSink: { kind: 'https', name, ...webhook } };
}

function filePath(read: EnvironmentReader, sink: string): string | undefined {
  try {
    return databaseFile(sink);
  } catch (fault) {
    if (!(fault instanceof DatabaseUrlError)) throw fault;
    read.faults.push(`AUDIT_SINK has ${fault.message}`);
    return undefined;
  }
}
