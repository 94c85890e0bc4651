import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { certificate } from './certificates.ts';

/** A webhook for audit events that answers when the test says so. */
export interface AuditReceiver {
  /** What AUDIT_SINK and the variables beside it are set to. */
  readonly env: Readonly<Record<string, string>>;
  /** Waits for the next post, which the test then answers. */
  next(): Promise<{ readonly ids: readonly string[]; readonly answer: ServerResponse }>;
  /** Posts that came and that nobody has waited for. */
  readonly waiting: () => number;
  close(): void;
}

/** One for all receivers: of two with one subject the wrong one might be asked. */
let certificateOfAll: ReturnType<typeof certificate> | undefined;
async function trusted() {
  certificateOfAll ??= certificate({
    subject: 'CN=127.0.0.1, O=audit receiver',
    names: [{ type: 'ip', value: '127.0.0.1' }],
  });
  const issued = await certificateOfAll;
  setDefaultCACertificates([...getCACertificates(), issued.pem]);
  return issued;
}

/** Starts a webhook that this process trusts. */
export async function auditReceiver(): Promise<AuditReceiver> {
  const issued = await trusted();
  const posts: Awaited<ReturnType<AuditReceiver['next']>>[] = [];
  const server = createServer({ key: issued.keyPem, cert: issued.pem }, (request, answer) => {
    void text(request).then((body) => {
      const events = body.split('\n').filter(Boolean);
      posts.push({ ids: events.map((line) => (JSON.parse(line) as { id: string }).id), answer });
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    env: {
      AUDIT_SINK: `https://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
      AUDIT_WEBHOOK_SECRET: 'w'.repeat(32),
      AUDIT_SINK_ALLOW_PRIVATE_ADDRESSES: 'true',
    },
    async next() {
      for (;;) {
        const post = posts.shift();
        if (post !== undefined) return post;
        await sleep(20);
      }
    },
    waiting: () => posts.length,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
