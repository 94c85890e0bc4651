import type { Clock } from '../../domain/clock.ts';
import type { CurrentSigningKey } from '../../ports/current-signing-key.ts';
import type { AdmittedRequest } from './admitted-request.ts';

/** Seconds for which an upstream may accept an assertion. */
export const assertionLifetime = 30;

/** The algorithm for all upstreams, which every JWT library verifies. */
export const assertionAlg = 'ES256';

export interface ForwardedRequestAssertionOptions {
  /** `iss`; never the issuer of access tokens, so that whatever trusts that one refuses this. */
  readonly gatewayIssuer: string;
  readonly signingKey: CurrentSigningKey;
  readonly clock: Clock;
}

/**
 * Signs a JWT that tells a gateway's upstream which request was let through, and whose it is. It is
 * valid for this resource server's upstream only, and its type, issuer, audience and key differ
 * from an access token's. Throws NoSigningKey, SigningKeyUnavailable, StoreUnavailable.
 */
export function forwardedRequestAssertion({
  gatewayIssuer,
  signingKey,
  clock,
}: ForwardedRequestAssertionOptions) {
  return async ({
    method,
    uri,
    claims,
    presenter,
    thumbprint,
    resourceServer,
  }: AdmittedRequest): Promise<string> => {
    const iat = Math.floor(clock() / 1000);
    const key = await signingKey(assertionAlg);
    return key.signJwt('forwarded-request+jwt', {
      iss: gatewayIssuer,
      aud: upstreamOf(resourceServer.id),
      iat,
      exp: iat + assertionLifetime,
      method,
      uri,
      sub: claims.sub,
      client_id: claims.client_id,
      presenter,
      key: thumbprint,
      ...(claims.scope !== undefined && { scope: claims.scope }),
      token_id: claims.jti,
    });
  };
}

/** `aud` of the assertions for the upstream of a resource server. */
function upstreamOf(resourceServerId: string): string {
  return `urn:holdfast:upstream:${resourceServerId}`;
}
