import { createHmac } from 'node:crypto';
import type { Clock } from '../domain/clock.ts';
import type { EgressProxy } from '../protocol/client-keys/remote-jwks/egress-proxy.ts';
import { guardedRequests } from '../protocol/client-keys/remote-jwks/guarded-request.ts';
import { RemoteJwksUnavailable } from '../protocol/client-keys/remote-jwks/unavailable.ts';
import type { DeliverEvents } from './audit-sink.ts';

/** Writes lines to standard output, each in a single write. */
export function toStdout(write: (text: string, done: (error?: Error | null) => void) => void) {
  const deliver: DeliverEvents = async (lines) =>
    new Promise((resolve, reject) => {
      write(textOf(lines), (error) => (error ? reject(error) : resolve()));
    });
  return deliver;
}

/** Where events are posted, and how they are signed. */
export interface AuditWebhook {
  readonly url: string;
  readonly secret: string;
  readonly allowPrivateAddresses: boolean;
  readonly proxy: EgressProxy | undefined;
}

/** Milliseconds for one request. */
const deadlineMs = 10_000;

/**
 * Posts JSON lines (`application/jsonl`), signed: `Holdfast-Signature` is `t=SECONDS,v1=HEX`, by
 * HMAC-SHA256 over `SECONDS.BODY`. Any status but 2xx is a failed delivery.
 */
export function toWebhook({ url, secret, ...reach }: AuditWebhook, clock: Clock): DeliverEvents {
  const ask = guardedRequests({ ...reach, deadlineMs });
  const post = async (body: string) => {
    const time = Math.floor(clock() / 1000);
    const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
    const headers = {
      'content-type': 'application/jsonl',
      'holdfast-signature': `t=${time},v1=${signature}`,
    };
    // The body is not read: it can have any content and length.
    const answered = async ({ statusCode }: { readonly statusCode: number }) => statusCode;
    const status = await ask(url, { method: 'POST', headers, body }, answered).catch((error) => {
      throw unreachable(error);
    });
    if (status < 200 || status > 299) throw new Error(`AUDIT_SINK answered ${status}`);
  };
  return async (lines) => post(textOf(lines));
}

/** Rewords the guard's errors, which are about JWK Sets. */
function unreachable(error: unknown): unknown {
  if (!(error instanceof RemoteJwksUnavailable)) return error;
  const { reason, code } = error;
  return Object.assign(new Error('AUDIT_SINK could not be reached'), { reason, code });
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
