import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import type { Grant, ValidateGrant } from '../../domain/grant.ts';
import type { TokenRequest, TokenResponse } from '../../domain/oauth-request.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { Refusals } from '../../ports/refusals.ts';
import type { Bind } from '../confirmation/binding.ts';
import type { IssueAccessToken } from '../issuance/issue-access-token.ts';
import type { ProveAdditionalHolders } from '../possession/prove-additional-holders.ts';
import type { ProvePossession } from '../possession/prove-possession.ts';

/** The steps that the wiring puts together. */
export interface TokenEndpointSteps {
  readonly refusals: Pick<Refusals, 'ofClient'>;
  readonly authenticateClient: (request: TokenRequest) => Promise<AuthenticatedClient>;
  readonly validateGrant: ValidateGrant;
  readonly provePossession: ProvePossession;
  readonly proveAdditionalHolders: ProveAdditionalHolders;
  readonly bind: Bind;
  readonly issueAccessToken: IssueAccessToken;
}

/** An issued token, the answer to the client and what the log may say of it. */
export interface IssuedToken {
  readonly response: TokenResponse;
  readonly client: AuthenticatedClient;
  readonly grant: Grant;
  readonly boundKey: ProvenKey;
  readonly jti: string;
  /** A nonce for the client's next proof, when the one it used is no longer the newest (RFC 9449 §8.2). */
  readonly dpopNonce?: string;
}

/** An access token request from start to end. Every step may throw an OAuthError; only the last one writes. */
export function tokenEndpoint(
  steps: TokenEndpointSteps,
): (request: TokenRequest) => Promise<IssuedToken> {
  const issueTo = async (
    client: AuthenticatedClient,
    request: TokenRequest,
    proven: ProvenKey[],
  ): Promise<IssuedToken> => {
    const grant = await steps.validateGrant(request, client);
    const possession = await steps.provePossession(request, client, grant, proven);
    const holders = await steps.proveAdditionalHolders(request, client, grant, possession);
    const binding = await steps.bind(client, possession, holders, grant.resourceServer);
    const { response, jti } = await steps.issueAccessToken(
      client,
      grant,
      possession,
      binding,
      holders,
    );
    return {
      response,
      client,
      grant,
      boundKey: possession.boundKey,
      jti,
      ...(possession.dpopNonce !== undefined && { dpopNonce: possession.dpopNonce }),
    };
  };
  return async (request) => {
    const client = await steps.authenticateClient(request);
    const proven: ProvenKey[] = [];
    return issueTo(client, request, proven).catch((fault: unknown) => {
      steps.refusals.ofClient(client, fault, 'token_refused', proven[0]);
      throw fault;
    });
  };
}
