import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ActingAdmin } from '../../domain/acting-admin.ts';
import { adminAudience, adminResourceServer, knownAdminScopes } from '../../domain/admin-access.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Ports } from '../../ports/ports.ts';
import type { activeToken } from '../introspection/active-token.ts';
import { countOnce } from '../introspection/count-once.ts';
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

/** Refuses a new proof by the token's own key that lacks only a nonce. */
export class OnlyNonceLacking extends OAuthError {}

/** Maximum lifetime in milliseconds of an admin token created by a client: ninety days. */
const maxTokenLifetime = 90 * 86_400_000;

export interface AdminAccessSteps extends Pick<Ports, 'replay' | 'currentClients'> {
  readonly activeToken: ReturnType<typeof activeToken>;
  readonly verifyPresentedProof: VerifyPresentedProof;
}

/** The admin who sent a request. Throws OAuthError, OnlyNonceLacking, StoreUnavailable. */
export type CheckAdminAccess = (request: AdminRequest) => Promise<ActingAdmin>;

/**
 * Checks a token for the admin API (RFC 9449 §7.1). A scope counts only while the client still has
 * it, so removing it from the client also removes it from the client's tokens.
 */
export function checkAdminAccess(steps: AdminAccessSteps): CheckAdminAccess {
  return async (request) => {
    const { token } = request;
    const claims = await steps.activeToken(token, adminResourceServer);
    if (claims === undefined) throw new OAuthError('token_inactive');
    const { presenter, use } = await confirmedOrChallenged(request, claims, steps);
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
    await countOnce(steps.replay, use);
    return {
      name: `client:${client.client_id}`,
      id: client.registration_id,
      maxTokenLifetime,
      scopes: has.filter((scope) => granted.has(scope)),
    };
  };
}

async function confirmedOrChallenged(
  request: AdminRequest,
  claims: AccessTokenClaims,
  steps: AdminAccessSteps,
): Promise<ConfirmedToken> {
  try {
    return await confirmed(request, claims, steps.verifyPresentedProof);
  } catch (fault) {
    if (!(fault instanceof OAuthError) || fault.code !== 'use_dpop_nonce') throw fault;
    throw (await isOwnProof(request, claims, steps)) ? new OnlyNonceLacking(fault.reason) : fault;
  }
}

/** Whether a proof is valid except for its nonce, and new; an old one may have been seen. */
async function isOwnProof(
  request: AdminRequest,
  claims: AccessTokenClaims,
  { verifyPresentedProof, replay }: AdminAccessSteps,
): Promise<boolean> {
  try {
    const { presenter, use } = await confirmed(request, claims, verifyPresentedProof, true);
    if (presenter !== claims.client_id || use === undefined) return false;
    await countOnce(replay, use);
    return true;
  } catch (fault) {
    if (fault instanceof OAuthError) return false;
    throw fault;
  }
}

/** Checks the proof against each URI until one matches its `htu`. */
async function confirmed(
  { token, dpopProofs, method: htm, uris }: AdminRequest,
  claims: AccessTokenClaims,
  verify: VerifyPresentedProof,
  withoutNonce = false,
): Promise<ConfirmedToken> {
  const [htu = '', ...others] = uris;
  try {
    return await verify({ dpopProofs, htm, htu, withoutNonce }, token, claims);
  } catch (fault) {
    const isElsewhere = fault instanceof OAuthError && fault.reason === 'proof_htu_mismatch';
    if (!isElsewhere || others.length === 0) throw fault;
    const next = { token, dpopProofs, method: htm, uris: others };
    return confirmed(next, claims, verify, withoutNonce);
  }
}
