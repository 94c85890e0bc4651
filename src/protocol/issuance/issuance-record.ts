import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { AdditionalHolder } from '../../domain/additional-holder.ts';
import type { AuditEvent } from '../../domain/audit-event.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Grant } from '../../domain/grant.ts';
import type { Possession } from '../../domain/possession.ts';
import { recordedThumbprint } from '../../domain/proven-key.ts';
import type { Ports } from '../../ports/ports.ts';
import type { StatusEntry } from '../../ports/status-list-store.ts';

/** The current pairings of clients that may exchange the token; later ones do not apply. */
export async function mayActUnder(
  { client_id: owner, may_act }: AccessTokenClaims,
  pairings: Ports['pairings'],
): Promise<readonly PairedClient[]> {
  const named = may_act === undefined ? [] : [may_act.client_id].flat();
  const found = await Promise.all(
    named.map(async (client_id) => ({
      client_id,
      pairing: (await pairings.findPairing(owner, client_id))?.consent,
    })),
  );
  return found.flatMap(({ client_id, pairing }) =>
    pairing === undefined ? [] : [{ client_id, pairing }],
  );
}

interface PairedClient {
  readonly client_id: string;
  /** The consent of its pairing with the client of the token. */
  readonly pairing: string;
}

/** Further details of an issuance: its status list entry and pairings. */
interface IssuanceDetail {
  readonly of_user?: true;
  readonly of_workload?: true;
  readonly audiences?: readonly string[];
  readonly may_act?: readonly PairedClient[];
  readonly status?: StatusEntry;
  readonly pairings?: readonly string[];
}

/** The record of an issuance in the audit trail, which introspection reads. */
export function issuanceRecord(
  { registration: { registration_id }, byRule }: AuthenticatedClient,
  { resourceServer, source, sourceKids, actorSource, authority: grantAuthority }: Grant,
  { jti, client_id, aud, exp }: AccessTokenClaims,
  { boundKey, subject }: Possession,
  holders: readonly AdditionalHolder[],
  more: IssuanceDetail,
): AuditEvent {
  const detail = {
    ...more,
    ...(sourceKids !== undefined && { source_kids: sourceKids }),
    // The event's `jkt` is the key of the actor.
    ...(subject !== undefined && { subject_jkt: subject.jkt }),
    ...(holders.length > 0 && {
      holders: holders.map(({ registration, key, provenBy, pairing }) => ({
        client_id: registration.client_id,
        jkt: key.jkt,
        evidence: provenBy,
        pairing,
      })),
    }),
  };
  return {
    id: jti,
    type: 'token_issued',
    actor: `client:${client_id}`,
    client_id,
    audience: aud,
    jti,
    jkt: recordedThumbprint(boundKey),
    evidence: boundKey.provenBy,
    token_expires_at: exp,
    registration_id,
    resource_server_id: resourceServer.id,
    ...(source !== undefined && { source }),
    ...(actorSource !== undefined && { actor_source: actorSource }),
    ...(byRule !== undefined && { client_authority: byRule.rule }),
    ...(grantAuthority !== undefined && { grant_authority: grantAuthority }),
    ...(Object.keys(detail).length > 0 && { detail }),
  };
}
