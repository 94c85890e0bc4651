import type { AdditionalHolder } from '../../domain/additional-holder.ts';
import type { AuditEvent } from '../../domain/audit-event.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Grant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Possession } from '../../domain/possession.ts';
import type { Ports } from '../../ports/ports.ts';

/** Marks every use and records the issuance, in one step. Throws an OAuthError for a replay. */
export async function commitIssuance(
  issuances: Ports['issuances'],
  event: AuditEvent,
  client: AuthenticatedClient,
  grant: Pick<Grant, 'use' | 'type'>,
  possession: Possession,
  holders: readonly AdditionalHolder[],
): Promise<void> {
  const uses = [
    ...possession.uses,
    ...[possession.subject?.use, grant.use, ...holders.map(({ use }) => use)].filter(
      (use) => use !== undefined,
    ),
  ];
  const first = await issuances.commit(uses, event);
  const replayed = uses.filter((_, index) => first[index] !== true);
  if (replayed.some((use) => use.key === client.assertion?.use.key)) {
    throw new OAuthError('assertion_replayed');
  }
  if (replayed.some((use) => possession.uses.includes(use))) throw new OAuthError('proof_replayed');
  if (replayed.some((use) => use === possession.subject?.use))
    throw new OAuthError('subject_proof_replayed');
  if (replayed.some((use) => use === grant.use))
    throw new OAuthError(
      grant.type === 'urn:ietf:params:oauth:grant-type:jwt-bearer'
        ? 'id_jag_replayed'
        : 'id_token_replayed',
    );
  if (replayed.length > 0) {
    throw new OAuthError('cnf_proof_replayed');
  }
}
