import { LRUCache } from 'lru-cache';
import type { AuthenticatedClient } from '../domain/client-registration.ts';
import { ownCopy } from '../domain/held-bytes.ts';
import { OAuthError } from '../domain/oauth-error.ts';
import { recordedThumbprint } from '../domain/proven-key.ts';
import type { RefusalReason } from '../domain/refusal-reasons.ts';
import type { AuditTrail } from '../ports/audit-trail.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import { reportedRefusals } from './reported-refusals.ts';

/** Maximum names checked for each reason: a sample, not a list. */
const maxSamples = 5;

/** Maximum length of a registered `client_id`. */
const maxClientId = 255;

/** Maximum refusals recorded per assertion: an honest client creates a new one for each request. */
const maxByAssertion = 3;

/** Collects refusals for the audit trail. */
export function refusals(
  audit: AuditTrail,
  { clients, resourceServers }: Pick<Ports, 'clients' | 'resourceServers'>,
): Refusals {
  const byAssertion = new LRUCache<string, number>({ max: 10_000 });
  const recordsBy = (key: string) => {
    const records = byAssertion.get(key) ?? 0;
    byAssertion.set(key, records + 1);
    return records;
  };
  const isShownAgain = ({ assertion, byRule }: AuthenticatedClient, { reason }: OAuthError) => {
    const key = assertion?.use.key ?? byRule?.token?.digest;
    if (key === undefined) return false;
    return recordsBy(key) >= maxByAssertion || reason === 'assertion_replayed';
  };
  const reported = reportedRefusals(audit);
  let counts = new Map<RefusalReason, number>();
  let claims = new Map<RefusalReason, Set<string>>();
  // Only registered names: anything else that a stranger sends, such as a misplaced secret, must
  // stay out of the trail.
  const isRegistered = async (name: string) => {
    const found = async () =>
      (await clients.findClient(name)) ?? (await resourceServers.findByClientId(name));
    return (await found().catch(() => undefined)) !== undefined;
  };
  const samplesOf = async (
    claimed: typeof claims,
  ): Promise<Readonly<Record<string, readonly string[]>>> => {
    const samples: Record<string, string[]> = {};
    for (const [reason, names] of claimed)
      for (const name of names)
        if (await isRegistered(name)) samples[reason] = [...(samples[reason] ?? []), name];
    return samples;
  };
  const ofStranger: Refusals['ofStranger'] = (fault, claimed) => {
    if (!(fault instanceof OAuthError)) return;
    const { reason } = fault;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const names = claims.get(reason) ?? new Set();
    if (claimed === undefined || claimed.length > maxClientId || names.size >= maxSamples) return;
    claims.set(reason, names.add(ownCopy(claimed)));
  };
  return {
    ofStranger,
    ofClient(client, fault, type) {
      if (!(fault instanceof OAuthError)) return;
      const { client_id } = client.registration;
      if (isShownAgain(client, fault)) return ofStranger(fault, client_id);
      const proven = fault.provenKey ?? client.assertion;
      const key = proven !== undefined && {
        jkt: recordedThumbprint(proven),
        evidence: proven.provenBy,
      };
      audit
        .record({ type, actor: `client:${client_id}`, client_id, reason: fault.reason, ...key })
        .catch(() => undefined);
    },
    reported: reported.note,
    // The caller counts the refusal itself with `ofStranger`.
    ofWorkload(token, event) {
      if (recordsBy(token) < 1) audit.record(event).catch(() => undefined);
    },
    async flush() {
      await reported.flush();
      if (counts.size === 0) return;
      const [counted, claimed] = [counts, claims];
      [counts, claims] = [new Map(), new Map()];
      const samples = await samplesOf(claimed);
      const detail = {
        ...Object.fromEntries(counted),
        ...(Object.keys(samples).length > 0 && { samples }),
      };
      await audit.record({ type: 'refusals_sampled', actor: 'server', detail });
    },
  };
}
