import { hash } from 'node:crypto';
import { names } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type Acceptable, type SingleUse, singleUse } from '../../domain/single-use.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { ParsedJws } from '../../jose/compact-jws.ts';
import type { Ports } from '../../ports/ports.ts';
import type {
  TrustedIssuerToken,
  VerifyTrustedIssuerToken,
} from '../trusted-issuers/verify-trusted-issuer-token.ts';
import type { ReadSubjectToken } from './subject-token.ts';

/** What an ID token is checked against. Times in seconds. */
export interface SubjectIdTokenOptions extends Pick<Ports, 'currentClients' | 'clock'> {
  readonly verify: VerifyTrustedIssuerToken;
  readonly clockTolerance: number;
  /** From `iat`. */
  readonly maxAge: number;
}

/**
 * An ID token of a trusted OpenID provider as subject token (OpenID Connect Core §3.1.3.7): fresh,
 * exchanged once, with a proof if it is bound. The app checks `nonce`, `at_hash` and `c_hash`,
 * which only it can know.
 */
export function subjectIdToken(options: SubjectIdTokenOptions): ReadSubjectToken {
  return async (text, client) => {
    const token = await options.verify(text, 'id_token');
    const { issuer, expiresAt, boundTo } = token;
    if (issuer.clients !== undefined && !names(issuer.clients, issuer.listed, client))
      throw new OAuthError('id_token_client_not_allowed');
    const { subject, acceptable } = checkClaims(token, options);
    // A user must not pass for a client where only `sub` is looked at (RFC 9700 §4.15).
    if ((await options.currentClients.findClient(subject)) !== undefined)
      throw new OAuthError('id_token_sub_is_a_client');
    return {
      subject,
      ofUser: true,
      expiresAt,
      authority: issuer.id,
      use: useOf(token.jws, issuer, acceptable),
      entitlement: boundTo === undefined ? {} : { keys: [boundTo] },
    };
  };
}

function checkClaims(
  { claims: { sub, aud, azp, iat }, issuer, expiresAt }: TrustedIssuerToken,
  { clock, clockTolerance, maxAge }: SubjectIdTokenOptions,
): { readonly subject: string; readonly acceptable: Acceptable } {
  if (typeof sub !== 'string' || sub === '' || sub.length > 255 || sub.includes('\0'))
    throw new OAuthError('id_token_sub_invalid');
  const app = [issuer.audience].flat();
  const mayLackAzp = !Array.isArray(aud) || aud.length === 1;
  if (!(azp === undefined && mayLackAzp) && !app.some((one) => one === azp))
    throw new OAuthError('id_token_azp_mismatch');
  if (typeof iat !== 'number') throw new OAuthError('id_token_not_yet_valid');
  if (iat + maxAge <= clock() / 1000) throw new OAuthError('id_token_too_old');
  const acceptable = {
    from: iat - clockTolerance,
    until: Math.min(expiresAt + 1, iat + maxAge) + clockTolerance,
  };
  return { subject: (issuer.subject_prefix ?? '') + sub, acceptable };
}

/** By `jti`, else by the signing input; anybody can make a second valid ECDSA signature. */
function useOf(
  { payload: { jti }, signingInput }: ParsedJws,
  { issuer }: TrustedIssuer,
  acceptable: Acceptable,
): SingleUse {
  if (jti === undefined)
    return singleUse(
      'id_token',
      issuer,
      'signing input',
      hash('sha256', signingInput, 'base64url'),
      acceptable,
    );
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    throw new OAuthError('id_token_jti_invalid');
  return singleUse('id_token', issuer, 'jti', jti, acceptable);
}
