import type { IncomingMessage } from 'node:http';
import type { TraceParent } from '../../ports/tracing.ts';
import { headerFields } from './header-fields.ts';

const form =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;

/**
 * The trace of a request, from its one `traceparent` (W3C Trace Context §3.2); a malformed one is
 * ignored. `tracestate` is not read, because it may contain anything.
 */
export function traceParent(request: IncomingMessage): TraceParent | undefined {
  const fields = headerFields(request, 'traceparent');
  if (fields.length !== 1) return undefined;
  const [, version, traceId, spanId, flags = '', rest] = form.exec(fields[0] ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  if (version === '00' && rest === '-') return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
