import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ActingAdmin } from '../../domain/acting-admin.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Ports } from '../../ports/ports.ts';
import { countOnce } from '../introspection/count-once.ts';
import type {
  ConfirmedToken,
  VerifyPresentedProof,
} from '../introspection/verify-presented-proof.ts';
import type { CurrentAdmin } from './current-admin.ts';

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

export interface AdminAccessSteps extends Pick<Ports, 'replay'> {
  readonly currentAdmin: CurrentAdmin;
  readonly verifyPresentedProof: VerifyPresentedProof;
}

/** The admin who sent a request. Throws OAuthError, OnlyNonceLacking, StoreUnavailable. */
export type CheckAdminAccess = (request: AdminRequest) => Promise<ActingAdmin>;

/** Checks a token for the admin API and that its client sent it (RFC 9449 §7.1). */
export function checkAdminAccess(steps: AdminAccessSteps): CheckAdminAccess {
  return async (request) => {
    const { claims, admin } = await steps.currentAdmin(request.token);
    const { presenter, use } = await confirmedOrChallenged(request, claims, steps);
    if (presenter !== claims.client_id) throw new OAuthError('token_inactive');
    await countOnce(steps.replay, use);
    return admin;
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
