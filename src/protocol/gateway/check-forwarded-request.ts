import { OAuthError } from '../../domain/oauth-error.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { Ports } from '../../ports/ports.ts';
import type { activeToken } from '../introspection/active-token.ts';
import { countOnce } from '../introspection/count-once.ts';
import type { VerifyPresentedProof } from '../introspection/verify-presented-proof.ts';
import { accessTokenOf } from './access-token-of.ts';
import type { AdmittedRequest } from './admitted-request.ts';
import type { ForwardedRequest } from './forwarded-request.ts';

export interface CheckForwardedRequestSteps extends Pick<Ports, 'replay'> {
  readonly activeToken: ReturnType<typeof activeToken>;
  readonly verifyPresentedProof: VerifyPresentedProof;
}

/**
 * Checks a request at a gateway for this resource server. A proof counts once across all gateways
 * and all other checks by this server. Throws OAuthError, StoreUnavailable.
 */
export function checkForwardedRequest(steps: CheckForwardedRequestSteps) {
  return async (
    request: ForwardedRequest,
    resourceServer: ResourceServer,
  ): Promise<AdmittedRequest> => {
    const { method, scopes } = request;
    const { origins = [] } = resourceServer;
    const uri = request.uri(origins);
    // The client controls `Host`; trusting it, a proof for one API would count for another.
    if (!origins.includes(new URL(uri).origin)) throw new OAuthError('gateway_origin_unlisted');
    const { token, proof } = accessTokenOf(request, uri);
    const claims = await steps.activeToken(token, resourceServer);
    if (claims === undefined) throw new OAuthError('token_inactive');
    const { use, ...confirmed } = await steps.verifyPresentedProof(proof, token, claims);
    const granted = claims.scope?.split(' ') ?? [];
    if (!scopes.every((scope) => granted.includes(scope))) throw new OAuthError('scope_missing');
    await countOnce(steps.replay, use);
    return { method, uri, resourceServer, claims, ...confirmed };
  };
}
