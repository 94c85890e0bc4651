import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ActingAdmin } from '../../domain/acting-admin.ts';
import { adminAudience, adminResourceServer, knownAdminScopes } from '../../domain/admin-access.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Ports } from '../../ports/ports.ts';
import type { activeToken } from '../introspection/active-token.ts';
import type {
  ConfirmedToken,
  VerifyPresentedProof,
} from '../introspection/verify-presented-proof.ts';

/** A request to the admin API with a token of this server. */
export interface AdminRequest {
  readonly token: string;
  /** Every `DPoP` header field. */
  readonly dpopProofs: readonly string[];
  readonly method: string;
  /** The URIs under which the listener may be called, with the path of this request. */
  readonly uris: readonly string[];
}

/** Milliseconds that an admin token made by a client may last: ninety days. */
const maxTokenLifetime = 90 * 86_400_000;

/** The steps that the wiring puts together. */
export interface AdminAccessSteps extends Pick<Ports, 'replay' | 'currentClients'> {
  readonly activeToken: ReturnType<typeof activeToken>;
  readonly verifyPresentedProof: VerifyPresentedProof;
}

/** The admin who sent a request. Throws OAuthError, StoreUnavailable. */
export type CheckAdminAccess = (request: AdminRequest) => Promise<ActingAdmin>;

/**
 * Checks a token for the admin API as RFC 9449 §7.1 says. Its scopes count as far as the client has
 * them now: what is taken from a client is taken from its tokens.
 */
export function checkAdminAccess(steps: AdminAccessSteps): CheckAdminAccess {
  return async (request) => {
    const { token } = request;
    const claims = await steps.activeToken(token, adminResourceServer);
    if (claims === undefined) throw new OAuthError('token_inactive');
    const { presenter, use } = await confirmed(request, claims, steps.verifyPresentedProof);
    const client = await steps.currentClients.findClient(claims.client_id);
    if (
      client === undefined ||
      client.disabled ||
      presenter !== client.client_id ||
      client.resources?.includes(adminAudience) !== true
    )
      throw new OAuthError('token_inactive');
    const has = knownAdminScopes(client.admin_scopes ?? []);
    const granted = new Set(claims.scope?.split(' '));
    if (use !== undefined) {
      const [first] = await steps.replay.markUsed([use]);
      if (first !== true) throw new OAuthError('proof_replayed');
    }
    return {
      name: `client:${client.client_id}`,
      id: client.registration_id,
      maxTokenLifetime,
      scopes: has.filter((scope) => granted.has(scope)),
    };
  };
}

/** By the first of the URIs that the proof is for. */
async function confirmed(
  { token, dpopProofs, method: htm, uris }: AdminRequest,
  claims: AccessTokenClaims,
  verify: VerifyPresentedProof,
): Promise<ConfirmedToken> {
  const [htu = '', ...others] = uris;
  try {
    return await verify({ dpopProofs, htm, htu }, token, claims);
  } catch (fault) {
    const isElsewhere = fault instanceof OAuthError && fault.reason === 'proof_htu_mismatch';
    if (!isElsewhere || others.length === 0) throw fault;
    return confirmed({ token, dpopProofs, method: htm, uris: others }, claims, verify);
  }
}
