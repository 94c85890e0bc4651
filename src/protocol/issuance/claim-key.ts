import type { AuditEvent } from '../../domain/audit-event.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Grant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type ProvenKey, recordedThumbprint } from '../../domain/proven-key.ts';
import type { Ports } from '../../ports/ports.ts';

/**
 * Claims each platform token that a request relies on for the proven key. Throws an OAuthError if
 * another key was first and a rule pins the token, now or by an earlier claim.
 */
export type ClaimKey = (
  client: AuthenticatedClient,
  grant: Pick<Grant, 'byRule'>,
  boundKey: ProvenKey,
) => Promise<void>;

/**
 * The first key proven with a token claims it. Without a pin another key counts too, since a
 * restarted container keeps its token and loses its key, but it is recorded as a separate event.
 */
export function claimKey({ assertionKeys }: Pick<Ports, 'assertionKeys'>): ClaimKey {
  return async ({ registration: { client_id }, byRule: client }, { byRule: grant }, boundKey) => {
    const jkt = recordedThumbprint(boundKey);
    for (const by of client === grant ? [client] : [client, grant]) {
      const { token, rule } = by ?? {};
      if (token === undefined) continue;
      const { digest, expiresAt, pin, use } = token;
      const first = await assertionKeys.claim(digest, jkt, expiresAt, pin);
      if (first.jkt === jkt) continue;
      const mayChange = !pin && !first.pinned;
      const event: AuditEvent = {
        type: 'assertion_second_key',
        actor: `client:${client_id}`,
        client_id,
        jkt,
        detail: { rule, first_jkt: first.jkt },
      };
      if (mayChange && (await assertionKeys.change(digest, first.jkt, jkt, event))) continue;
      // Another request was quicker and may have pinned the token to its key.
      const now = mayChange ? await assertionKeys.claim(digest, jkt, expiresAt, pin) : first;
      if (now.jkt !== jkt && (pin || now.pinned)) throw new OAuthError(`${use}_pinned`);
    }
  };
}
