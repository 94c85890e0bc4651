import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { Ports } from '../../ports/ports.ts';
import { type ActiveHolders, bindingOf } from '../access-token/active-holders.ts';
import type { TokenStatus } from '../access-token/token-status.ts';
import type { VerifyAccessToken } from '../access-token/verify-access-token.ts';

export interface ActiveTokenOptions extends Pick<Ports, 'clock'> {
  readonly verify: VerifyAccessToken;
  readonly tokenStatus: TokenStatus;
  readonly activeHolders: ActiveHolders;
}

/** The claims if this server signed the token for this audience and it is active. */
export function activeToken({ verify, tokenStatus, clock, activeHolders }: ActiveTokenOptions) {
  return async (
    token: string,
    { id, audience, alt_cnf_supported, multi_key_form }: ResourceServer,
  ): Promise<AccessTokenClaims | undefined> => {
    const claims = await verify(token);
    if (claims === undefined || claims.aud !== audience || claims.exp <= clock() / 1000)
      return undefined;
    const state = await tokenStatus(token, claims);
    if (state === undefined) return undefined;
    // A resource server registered later with the same audience is a different one.
    if (state.resourceServer !== undefined && state.resourceServer !== id) return undefined;
    // Other resource servers learn of the requester's key only (docs/protocol.md).
    const knowsSeveral = alt_cnf_supported === true || multi_key_form === 'jwks';
    const { alt_cnf: _, ...rest } = claims;
    return {
      ...rest,
      ...bindingOf(claims, knowsSeveral ? await activeHolders(claims, state) : new Map()),
    };
  };
}
