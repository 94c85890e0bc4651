import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { Ports } from '../../ports/ports.ts';
import { type ActiveHolders, bindingOf } from '../access-token/active-holders.ts';
import type { TokenStatus } from '../access-token/token-status.ts';
import type { VerifyAccessToken } from '../access-token/verify-access-token.ts';

/** What the check needs. */
export interface ActiveTokenOptions extends Pick<Ports, 'clock'> {
  readonly verify: VerifyAccessToken;
  readonly tokenStatus: TokenStatus;
  readonly activeHolders: ActiveHolders;
}

/** The claims of a token that is active for this resource server: signed by this server, for this audience, not expired, in force. Undefined otherwise. */
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
    // A later resource server of the same audience is another one.
    if (state.resourceServer !== undefined && state.resourceServer !== id) return undefined;
    // A resource server that is not, or no longer, registered as knowing several keys hears of the requester's only (protocol reference D3.5).
    const knowsSeveral = alt_cnf_supported === true || multi_key_form === 'jwks';
    const { alt_cnf: _, ...rest } = claims;
    return {
      ...rest,
      ...bindingOf(claims, knowsSeveral ? await activeHolders(claims, state) : new Map()),
    };
  };
}
