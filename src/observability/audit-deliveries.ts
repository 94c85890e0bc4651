import { createHmac } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Clock } from '../domain/clock.ts';
import type { EgressProxy } from '../protocol/client-keys/remote-jwks/egress-proxy.ts';
import { guardedRequests } from '../protocol/client-keys/remote-jwks/guarded-request.ts';
import type { DeliverEvents } from './audit-sink.ts';

/** Writes lines of a batch to standard output, in one piece each. */
export function toStdout(write: (text: string, done: (error?: Error | null) => void) => void) {
  const deliver: DeliverEvents = async (lines) =>
    new Promise((resolve, reject) => {
      write(`${lines.join('\n')}\n`, (error) => (error ? reject(error) : resolve()));
    });
  return deliver;
}

/**
 * Appends to a file that only this user reads, and waits for the disk. It is opened for each batch,
 * so that whoever rotates it just moves it away.
 */
export function toFile(path: string): DeliverEvents {
  return async (lines) => {
    const file = await open(path, 'a', 0o600);
    try {
      await file.appendFile(`${lines.join('\n')}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
  };
}

/** Where events are posted, and what signs them. */
export interface AuditWebhook {
  readonly url: string;
  readonly secret: string;
  readonly allowPrivateAddresses: boolean;
  readonly proxy: EgressProxy | undefined;
}

/** Bytes of a body; a batch of more lines is sent in several. */
const maxBody = 262_144;

/** Milliseconds for one delivery. */
const deadlineMs = 10_000;

/**
 * Posts JSON lines (`application/jsonl`), signed: `Holdfast-Signature` is
 * `t=SECONDS,v1=HEX`, by HMAC-SHA256 over `SECONDS.BODY`. Whatever is no 2xx counts as not
 * delivered.
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
    // What it says beside the status is not read: it may be anything, and as long as it likes.
    const answered = async ({ statusCode }: { readonly statusCode: number }) => statusCode;
    const status = await ask(url, { method: 'POST', headers, body }, answered);
    if (status < 200 || status > 299) throw new Error(`AUDIT_SINK answered ${status}`);
  };
  return async (lines) => {
    for (const body of bodies(lines)) await post(body);
  };
}

function bodies(lines: readonly string[]): readonly string[] {
  const made: string[] = [];
  let body = '';
  for (const line of lines) {
    if (body !== '' && Buffer.byteLength(body) + Buffer.byteLength(line) >= maxBody) {
      made.push(body);
      body = '';
    }
    body += `${line}\n`;
  }
  return [...made, body];
}
