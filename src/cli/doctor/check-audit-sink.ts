import { statSync } from 'node:fs';
import { auditSinkFault } from '../../app/open-audit-sink.ts';
import type { Config } from '../../config/config.ts';
import { guardedRequests } from '../../protocol/client-keys/remote-jwks/guarded-request.ts';
import { RemoteJwksUnavailable } from '../../protocol/client-keys/remote-jwks/unavailable.ts';
import { about, type Finding } from './finding.ts';

const sink = about('audit sink', 'takes audit events', 'operations/audit.md');

/** Checks whether the file of AUDIT_SINK is writable or its webhook answers a GET. */
export async function checkAuditSink(config: Config): Promise<readonly Finding[]> {
  const { auditSink } = config;
  if (auditSink === undefined) return [];
  if (auditSink.kind === 'https') return [await checkWebhook(auditSink, config)];
  const fault = auditSinkFault(config);
  if (fault !== undefined)
    return [
      sink.fault(
        fault,
        'Create the folder and give it to the user of the server, or correct AUDIT_SINK.',
      ),
    ];
  if (auditSink.kind === 'stdout') return [sink.ok('standard output')];
  const found = statSync(auditSink.path, { throwIfNoEntry: false });
  const own = process.geteuid?.() ?? 0;
  if (found !== undefined && (found.mode & 0o007) !== 0 && own !== 0 && found.uid !== own)
    return [
      sink.fault(
        `${auditSink.path} is open to others, and belongs to another user (${found.uid})`,
        'Give it to the user of the server, or take the rights of others away.',
      ),
    ];
  return [
    sink.ok(found === undefined ? 'the first event creates the file' : 'the file can be written'),
  ];
}

async function checkWebhook(
  { url, allowPrivateAddresses }: Extract<Config['auditSink'], { kind: 'https' }>,
  { egressProxy: proxy }: Config,
): Promise<Finding> {
  // The path may be a secret.
  const { origin } = new URL(url);
  const ask = guardedRequests({ allowPrivateAddresses, proxy });
  try {
    const request = { method: 'GET', headers: {} } as const;
    const status = await ask(url, request, async ({ statusCode }) => statusCode);
    return sink.ok(`${origin} answers (GET: ${status})`);
  } catch (error) {
    if (!(error instanceof RemoteJwksUnavailable)) throw error;
    const { reason, code = reason } = error;
    return sink.fault(`${origin} cannot be reached (${code})`, mends[reason] ?? otherwise);
  }
}

const mends: Readonly<Record<string, string>> = {
  address_not_allowed: 'AUDIT_SINK_ALLOW_PRIVATE_ADDRESSES=true allows a private network.',
};
const otherwise =
  'Correct AUDIT_SINK, the DNS or the firewall; for a CA of your own set NODE_EXTRA_CA_CERTS.';
