import { OAuthError } from '../../domain/oauth-error.ts';
import type { RefusalReason } from '../../domain/refusal-reasons.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { Ports } from '../../ports/ports.ts';

/** The use of a trusted issuer's token. */
type Use = 'id_token' | 'id_jag' | 'grant_assertion';

const reasons = {
  id_token: ['id_token_sub_is_a_client', 'id_token_sub_of_another_issuer'],
  id_jag: ['id_jag_subject_is_a_client', 'id_jag_subject_of_another_issuer'],
  grant_assertion: [
    'grant_assertion_subject_is_a_client',
    'grant_assertion_subject_of_another_issuer',
  ],
} as const satisfies Record<Use, readonly [RefusalReason, RefusalReason]>;

/**
 * Refuses a subject that is the name of a client (RFC 9700 §4.15), or begins with the prefix of
 * another trusted issuer. Throws an OAuthError of this use.
 */
export async function checkSubject(
  use: Use,
  subject: string,
  issuer: Pick<TrustedIssuer, 'id'>,
  { currentClients, trustedIssuers }: Pick<Ports, 'currentClients' | 'trustedIssuers'>,
): Promise<void> {
  const [isClient, isOfAnother] = reasons[use];
  if ((await currentClients.findClient(subject)) !== undefined) throw new OAuthError(isClient);
  const owner = await trustedIssuers.ownerOfSubject(subject);
  if (owner !== undefined && owner !== issuer.id) throw new OAuthError(isOfAnother);
}
