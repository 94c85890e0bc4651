import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { IdJagGrant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { TokenResponse } from '../../domain/oauth-request.ts';
import type { Possession } from '../../domain/possession.ts';
import { timeOrderedId } from '../../domain/time-ordered-id.ts';
import type { CurrentSigningKey } from '../../ports/current-signing-key.ts';
import type { Ports } from '../../ports/ports.ts';
import type { ClaimKey } from './claim-key.ts';
import { commitIssuance } from './commit-issuance.ts';

/** The step of the token endpoint that writes, for an identity assertion grant. */
export type IssueIdJag = (
  client: AuthenticatedClient,
  grant: IdJagGrant,
  possession: Possession,
) => Promise<{ readonly response: TokenResponse; readonly jti: string }>;

export interface IssueIdJagOptions extends Pick<Ports, 'issuances' | 'clock'> {
  readonly issuer: string;
  readonly signingKey: CurrentSigningKey;
  readonly claimKey: ClaimKey;
}

/** Seconds that the client has to present a grant to the other server. */
const lifetime = 300;

/** Issues an identity assertion grant that is bound to the proven key. Throws an OAuthError. */
export function issueIdJag(options: IssueIdJagOptions): IssueIdJag {
  const { issuances, clock, issuer, signingKey, claimKey } = options;
  return async (client, grant, possession) => {
    const { boundKey } = possession;
    const { authorizationServer: server, scopes, resource } = grant;
    if (boundKey.key === undefined) throw new OAuthError('certificate_confirmation_not_accepted');
    // Get the key first: a server that cannot sign must not use up the client's proofs.
    const key = await signingKey(server.signing_alg);
    const now = clock();
    const jti = timeOrderedId(now);
    const iat = Math.floor(now / 1000);
    const { registration, byRule } = client;
    const exp = Math.min(
      iat + Math.min(lifetime, byRule?.maxLifetime ?? lifetime),
      grant.expiresAt ?? Number.POSITIVE_INFINITY,
    );
    const scope = scopes.length > 0 && { scope: scopes.join(' ') };
    const claims = {
      iss: issuer,
      sub: grant.subject,
      aud: server.issuer,
      client_id: grant.remoteClientId,
      jti,
      iat,
      exp,
      ...(resource !== undefined && { resource }),
      ...scope,
      cnf: { jkt: boundKey.key.jkt },
    };
    await claimKey(client, grant, boundKey);
    const event = {
      id: jti,
      type: 'id_jag_issued',
      actor: `client:${registration.client_id}`,
      client_id: registration.client_id,
      audience: server.issuer,
      jti,
      jkt: boundKey.key.jkt,
      evidence: boundKey.provenBy,
      token_expires_at: exp,
      registration_id: registration.registration_id,
      ...(byRule !== undefined && { client_authority: byRule.rule }),
      ...(grant.authority !== undefined && { grant_authority: grant.authority }),
    } as const;
    await commitIssuance(issuances, event, client, grant, possession, []);
    const response: TokenResponse = {
      access_token: await key.signJwt('oauth-id-jag+jwt', claims),
      token_type: 'N_A',
      expires_in: exp - iat,
      ...scope,
      ...(grant.issuedTokenType !== undefined && { issued_token_type: grant.issuedTokenType }),
    };
    return { response, jti };
  };
}
