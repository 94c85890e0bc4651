import { hash } from 'node:crypto';
import { names } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type Acceptable, type SingleUse, singleUse } from '../../domain/single-use.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { ParsedJws } from '../../jose/compact-jws.ts';
import type { Ports } from '../../ports/ports.ts';
import { checkSubject } from '../trusted-issuers/check-subject.ts';
import type {
  TrustedIssuerToken,
  VerifyTrustedIssuerToken,
} from '../trusted-issuers/verify-trusted-issuer-token.ts';
import type { ReadSubjectToken } from './subject-token-types.ts';

/** What an ID token is checked against. Times in seconds. */
export interface SubjectIdTokenOptions
  extends Pick<Ports, 'currentClients' | 'trustedIssuers' | 'clock'> {
  readonly verify: VerifyTrustedIssuerToken;
  readonly clockTolerance: number;
  /** Counted from `iat`. */
  readonly maxAge: number;
}

/**
 * Accepts an ID token of a trusted OpenID provider as subject token (OpenID Connect Core §3.1.3.7):
 * fresh, exchanged once, and with a proof if it is bound. Only the app can check `nonce`, `at_hash`
 * and `c_hash`.
 */
export function subjectIdToken(options: SubjectIdTokenOptions): ReadSubjectToken {
  return async (text, client) => {
    const token = await options.verify(text, 'id_token');
    const { issuer, expiresAt, boundTo } = token;
    if (issuer.clients !== undefined && !names(issuer.clients, issuer.listed, client))
      throw new OAuthError('id_token_client_not_allowed');
    const { subject, acceptable } = checkClaims(token, options);
    await checkSubject('id_token', subject, issuer, options);
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

/** Identified by `jti`, else by the signing input; anybody can derive a second ECDSA signature. */
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
