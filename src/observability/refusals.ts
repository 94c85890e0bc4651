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

/** Names that are looked at for each reason: a sample, not a list. */
const maxSamples = 5;

/** Longest `client_id` that can be registered. */
const maxClientId = 255;

/** Records of refusals by one assertion: an honest client makes a new one for each request. */
const maxByAssertion = 3;

/** Refusals for the audit trail. */
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
  // Only names that are registered: what else a stranger sends, a secret in the wrong place for
  // one, has no business in the trail.
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
    // The refusal itself is counted as a stranger's by whoever answers it.
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
