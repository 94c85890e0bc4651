import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { AuditEvent } from '../../domain/audit-event.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Refusals } from '../../ports/refusals.ts';
import { additionalHolders } from '../access-token/active-holders.ts';
import type { VerifyAccessToken } from '../access-token/verify-access-token.ts';
import type { AuthenticateClient } from '../client-authentication/authenticate-client.ts';

export interface RevocationEndpointOptions
  extends Pick<Ports, 'issuedTokens' | 'withdrawnHolders' | 'replay' | 'noteUse'> {
  readonly refusals: Pick<Refusals, 'ofClient'>;
  readonly authenticateClient: AuthenticateClient;
  readonly verify: VerifyAccessToken;
}

/**
 * Revokes a client's own token (RFC 7009 §2); an unknown token counts as revoked (§2.2). Every
 * replica sees the revocation once this resolves.
 */
export function revocationEndpoint(options: RevocationEndpointOptions) {
  const { refusals, authenticateClient, verify, issuedTokens, withdrawnHolders, replay, noteUse } =
    options;
  const revoke = async (
    { registration, assertion }: AuthenticatedClient,
    request: OAuthRequest,
  ): Promise<void> => {
    const token = request.parameters.get('token');
    if (token === undefined) throw new OAuthError('token_missing');
    if (assertion !== undefined && (await replay.markUsed([assertion.use]))[0] !== true)
      throw new OAuthError('assertion_replayed');
    if (assertion !== undefined)
      noteUse(registration.registration_id, 'registered_key', assertion.key.jkt, assertion.key.kid);
    const claims = await verify(token);
    if (claims === undefined) return;
    // An additional holder revokes only its own key; the token itself stays active.
    if (additionalHolders(claims).has(registration.client_id)) {
      const withdrawal = {
        ...event(registration.client_id, claims),
        detail: { withdrawn_holder: registration.client_id },
      };
      await withdrawnHolders.withdraw(claims.jti, registration.client_id, claims.exp, withdrawal);
      return;
    }
    if (claims.client_id !== registration.client_id)
      throw new OAuthError('token_of_another_client');
    const { jkt, evidence } = (await issuedTokens.state(claims.jti)) ?? {};
    const key = { ...(jkt !== undefined && { jkt }), ...(evidence !== undefined && { evidence }) };
    await issuedTokens.revoke(claims.jti, claims.exp, {
      ...event(registration.client_id, claims),
      ...key,
    });
  };
  return async (request: OAuthRequest): Promise<void> => {
    const client = await authenticateClient(request);
    await revoke(client, request).catch((fault: unknown) => {
      refusals.ofClient(client, fault, 'revocation_refused');
      throw fault;
    });
  };
}

function event(clientId: string, { jti, aud, exp }: AccessTokenClaims): AuditEvent {
  return {
    type: 'token_revoked',
    actor: `client:${clientId}`,
    client_id: clientId,
    jti,
    audience: aud,
    token_expires_at: exp,
  };
}
