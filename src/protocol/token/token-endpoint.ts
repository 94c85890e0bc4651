import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Grant, IdJagGrant, ValidateGrant } from '../../domain/grant.ts';
import { namingKey, OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest, TokenResponse } from '../../domain/oauth-request.ts';
import type { Possession } from '../../domain/possession.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { Refusals } from '../../ports/refusals.ts';
import type { Bind } from '../confirmation/binding.ts';
import type { IssueAccessToken } from '../issuance/issue-access-token.ts';
import type { IssueIdJag } from '../issuance/issue-id-jag.ts';
import type { RecordProvenKeys } from '../issuance/record-proven-keys.ts';
import type { ProveAdditionalHolders } from '../possession/prove-additional-holders.ts';
import type { ProvePossession } from '../possession/prove-possession.ts';

/** The steps of an access token request, in order. */
export interface TokenEndpointSteps {
  readonly authenticateClient: (request: OAuthRequest) => Promise<AuthenticatedClient>;
  readonly validateGrant: ValidateGrant;
  readonly provePossession: ProvePossession;
  readonly proveAdditionalHolders: ProveAdditionalHolders;
  readonly bind: Bind;
  readonly issueAccessToken: IssueAccessToken;
  /** Replaces the three steps before it for an identity assertion grant. */
  readonly issueIdJag: IssueIdJag;
  readonly recordProvenKeys: RecordProvenKeys;
  readonly refusals: Pick<Refusals, 'ofClient'>;
}

/** An issued token: the response to the client, and the fields for the log. */
export interface IssuedToken {
  readonly response: TokenResponse;
  readonly client: AuthenticatedClient;
  readonly audience: string;
  readonly boundKey: ProvenKey;
  readonly jti: string;
  /** A nonce for the client's next proof, if a newer one exists (RFC 9449 §8.2). */
  readonly dpopNonce?: string;
}

/**
 * Answers an access token request. Every step up to the issuance checks, and may throw an
 * OAuthError. All single uses and the record are one commit; docs/architecture.md lists the writes
 * that are not in it. What follows the issuance cannot fail the request.
 */
export function tokenEndpoint(
  steps: TokenEndpointSteps,
): (request: OAuthRequest) => Promise<IssuedToken> {
  const issue = issueAccordingTo(steps);
  return async (request) => {
    const client = await steps.authenticateClient(request);
    let provenKey: ProvenKey | undefined;
    try {
      const grant = await steps.validateGrant(request, client);
      const possession = await steps.provePossession(request, client, grant);
      provenKey = possession.boundKey;
      return await issue(request, client, grant, possession);
    } catch (thrown) {
      if (thrown instanceof OAuthError) thrown.clientId = client.registration.client_id;
      steps.refusals.ofClient(client, namingKey(thrown, provenKey), 'token_refused');
      throw thrown;
    }
  };
}

/** The steps after the proof, for either kind of token. */
function issueAccordingTo(steps: TokenEndpointSteps) {
  return async (
    request: OAuthRequest,
    client: AuthenticatedClient,
    grant: Grant | IdJagGrant,
    possession: Possession,
  ): Promise<IssuedToken> => {
    const { boundKey, dpopNonce } = possession;
    const common = { client, boundKey, ...(dpopNonce !== undefined && { dpopNonce }) };
    if ('authorizationServer' in grant) {
      const issued = await steps.issueIdJag(client, grant, possession);
      await steps.recordProvenKeys(client, possession, []);
      return { ...issued, ...common, audience: grant.authorizationServer.issuer };
    }
    const holders = await steps.proveAdditionalHolders(request, client, grant, possession);
    const binding = await steps.bind(client, possession, holders, grant.resourceServer);
    const issued = await steps.issueAccessToken(client, grant, possession, binding, holders);
    await steps.recordProvenKeys(client, possession, holders);
    return { ...issued, ...common, audience: grant.resourceServer.audience };
  };
}
