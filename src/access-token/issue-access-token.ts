import type { AuditEvent } from '../audit.ts';
import type { AuthenticatedClient } from '../client-registration.ts';
import type { Confirmation } from '../confirmation/confirmation.ts';
import type { Grant } from '../grant/grant.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Ports } from '../ports.ts';
import type { Possession } from '../possession/prove-possession.ts';
import type { SigningKey } from '../signing-keys/signing-key.ts';
import { timeOrderedId } from '../time-ordered-id.ts';
import type { TokenResponse } from '../token-request.ts';
import { type AccessTokenClaims, accessTokenClaims } from './claims.ts';

/** The step of the token endpoint that writes: first the atomic commit of everything that counts once, then the record and the signature. */
export type IssueAccessToken = (
  client: AuthenticatedClient,
  grant: Grant,
  possession: Possession,
  confirmation: Confirmation,
) => Promise<{ readonly response: TokenResponse; readonly jti: string }>;

/** What the step needs. */
export interface IssueAccessTokenOptions extends Pick<Ports, 'replay' | 'clock' | 'audit'> {
  readonly issuer: string;
  /** The key that signs tokens of this algorithm now. Throws when there is none. */
  readonly signingKey: (alg: AccessTokenSigningAlgorithm) => Promise<SigningKey>;
}

/** Marks proof and assertion as used and issues the token. Throws `invalid_dpop_proof` or `invalid_client` for a replay. */
export function issueAccessToken({ replay, clock, audit, issuer, signingKey }: IssueAccessTokenOptions): IssueAccessToken {
  return async (client, grant, possession, confirmation) => {
    // The key first: a server that cannot sign must not use up what the client proved.
    const key = await signingKey(grant.resourceServer.access_token_signing_alg);
    await commit(replay, client, possession);
    const now = clock();
    const jti = timeOrderedId(now);
    const claims = accessTokenClaims(issuer, client.registration.client_id, grant, confirmation, jti, Math.floor(now / 1000));
    // Nothing is answered that is not on record: introspection and revocation know a token by its record.
    const recorded = audit.record(issuance(claims, possession));
    const [accessToken] = await Promise.all([key.signJwt('at+jwt', claims), recorded]);
    const response: TokenResponse = {
      access_token: accessToken,
      token_type: confirmation.jkt !== undefined ? 'DPoP' : 'PoP',
      expires_in: claims.exp - claims.iat,
      ...(claims.scope !== undefined && { scope: claims.scope }),
      ...(confirmation.jkt === undefined && { cnf: confirmation }),
    };
    return { response, jti };
  };
}

function issuance({ jti, client_id, aud, exp }: AccessTokenClaims, { boundKey }: Possession): AuditEvent {
  return {
    id: jti,
    type: 'token_issued',
    actor: `client:${client_id}`,
    client_id,
    audience: aud,
    jti,
    jkt: boundKey.key.jkt,
    evidence: boundKey.provenBy,
    token_expires_at: exp,
  };
}

async function commit(replay: Ports['replay'], client: AuthenticatedClient, { uses }: Possession): Promise<void> {
  if (uses.length === 0) return;
  const first = await replay.markUsed(uses);
  const replayed = uses.filter((_, index) => first[index] !== true);
  if (replayed.some((use) => use.key === client.assertion?.use.key)) {
    throw new OAuthError('invalid_client', 'the client assertion was used before', { reason: 'assertion_replayed' });
  }
  if (replayed.length > 0) throw new OAuthError('invalid_dpop_proof', 'the DPoP proof was used before', { reason: 'proof_replayed' });
}
