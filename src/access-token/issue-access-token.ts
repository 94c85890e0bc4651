import type { AuthenticatedClient } from '../client-registration.ts';
import type { Confirmation } from '../confirmation/confirmation.ts';
import type { Grant } from '../grant/grant.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Ports } from '../ports.ts';
import type { Possession } from '../possession/prove-possession.ts';
import type { SigningKey } from '../signing-keys/signing-key.ts';
import type { TokenResponse } from '../token-request.ts';
import { accessTokenClaims } from './claims.ts';

/** The step of the token endpoint that writes: first the atomic commit of everything that counts once, then the signature. */
export type IssueAccessToken = (
  client: AuthenticatedClient,
  grant: Grant,
  possession: Possession,
  confirmation: Confirmation,
) => Promise<{ readonly response: TokenResponse; readonly jti: string }>;

/** What the step needs. */
export interface IssueAccessTokenOptions extends Pick<Ports, 'replay' | 'clock' | 'randomId'> {
  readonly issuer: string;
  /** The key that signs tokens of this algorithm now. Throws when there is none. */
  readonly signingKey: (alg: AccessTokenSigningAlgorithm) => Promise<SigningKey>;
}

/** Marks proof and assertion as used and issues the token. Throws `invalid_dpop_proof` or `invalid_client` for a replay. */
export function issueAccessToken({ replay, clock, randomId, issuer, signingKey }: IssueAccessTokenOptions): IssueAccessToken {
  return async (client, grant, possession, confirmation) => {
    // The key first: a server that cannot sign must not use up what the client proved.
    const key = await signingKey(grant.resourceServer.access_token_signing_alg);
    await commit(replay, client, possession);
    const jti = randomId();
    const claims = accessTokenClaims(issuer, client.registration.client_id, grant, confirmation, jti, Math.floor(clock() / 1000));
    const response: TokenResponse = {
      access_token: await key.signJwt('at+jwt', claims),
      token_type: confirmation.jkt !== undefined ? 'DPoP' : 'PoP',
      expires_in: claims.exp - claims.iat,
      ...(claims.scope !== undefined && { scope: claims.scope }),
      ...(confirmation.jkt === undefined && { cnf: confirmation }),
    };
    return { response, jti };
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
