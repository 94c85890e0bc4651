import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Grant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type ProvenKey, recordedThumbprint } from '../../domain/proven-key.ts';
import type { Ports } from '../../ports/ports.ts';

/**
 * Claims each token of a platform that a request relies on for the key that it has proven. Throws
 * an OAuthError where another key was first and the rule pins the token.
 */
export type ClaimKey = (
  client: AuthenticatedClient,
  grant: Pick<Grant, 'byRule'>,
  boundKey: ProvenKey,
) => Promise<void>;

/**
 * The first key proven with a token claims it. Without a pin another key counts too, since a
 * restarted container keeps its token and loses its key; but it is an event of its own.
 */
export function claimKey({ assertionKeys }: Pick<Ports, 'assertionKeys'>): ClaimKey {
  return async ({ registration: { client_id }, byRule: client }, { byRule: grant }, boundKey) => {
    const jkt = recordedThumbprint(boundKey);
    for (const by of client === grant ? [client] : [client, grant]) {
      const { token, rule } = by ?? {};
      if (token === undefined) continue;
      const first = await assertionKeys.claim(token.digest, jkt, token.expiresAt);
      if (first === jkt) continue;
      if (token.pin) throw new OAuthError(`${token.use}_pinned`);
      await assertionKeys.change(token.digest, first, jkt, {
        type: 'assertion_second_key',
        actor: `client:${client_id}`,
        client_id,
        jkt,
        detail: { rule, first_jkt: first },
      });
    }
  };
}
