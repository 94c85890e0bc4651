import { decodeProtectedHeader } from 'jose/decode/protected_header';
import { type ClientRegistration, names } from '../../domain/client-registration.ts';
import { defined } from '../../domain/defined.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type SingleUse, singleUse } from '../../domain/single-use.ts';
import { withinRule } from '../../domain/trust-rule.ts';
import type { Ports } from '../../ports/ports.ts';
import { checkSubject } from '../trusted-issuers/check-subject.ts';
import type {
  TrustedIssuerToken,
  VerifyTrustedIssuerToken,
} from '../trusted-issuers/verify-trusted-issuer-token.ts';

/** What a client gets from an identity assertion authorization grant. */
export interface IdentityAssertion {
  readonly subject: string;
  /** The client, limited to the scope and audiences of the assertion. */
  readonly registration: ClientRegistration;
  /** Id of the trusted issuer. */
  readonly authority: string;
  /** Its `resource`, the only audiences of all tokens derived from it. */
  readonly audiences?: readonly string[];
  /** Thumbprint of the key that the assertion is bound to. */
  readonly boundTo: string | undefined;
  readonly use: SingleUse;
}

export interface IdentityAssertionOptions extends Pick<Ports, 'currentClients' | 'trustedIssuers'> {
  readonly verify: VerifyTrustedIssuerToken;
  /** The issuer identifier of this server. */
  readonly issuer: string;
  /** Seconds. */
  readonly clockTolerance: number;
}

/** Whether an assertion claims to be one; its signature is not checked. */
export function isIdentityAssertion(assertion: string): boolean {
  try {
    const { typ } = decodeProtectedHeader(assertion);
    return typ?.toLowerCase() === 'oauth-id-jag+jwt';
  } catch {
    return false;
  }
}

/**
 * Reads an identity assertion authorization grant for this client
 * (draft-ietf-oauth-identity-assertion-authz-grant §4.4.1). It counts once, and cannot come from
 * this server itself, which would widen a grant meant for another server. Throws an OAuthError.
 */
export function identityAssertion(options: IdentityAssertionOptions) {
  const { verify } = options;
  return async (assertion: string, client: ClientRegistration): Promise<IdentityAssertion> => {
    const token = await verify(assertion, 'id_jag');
    const { issuer, claims, boundTo } = token;
    if (issuer.issuer === options.issuer) throw new OAuthError('id_jag_issuer_not_trusted');
    if (claims['client_id'] !== client.client_id) throw new OAuthError('id_jag_client_mismatch');
    if (issuer.clients !== undefined && !names(issuer.clients, issuer.listed, client))
      throw new OAuthError('id_jag_client_not_allowed');
    const { sub, jti, iat, ...bounds } = checkClaims(claims);
    const subject = (issuer.subject_prefix ?? '') + sub;
    await checkSubject('id_jag', subject, issuer, options);
    const use = useOf(token, jti, iat, options);
    const registration = withinRule(client, bounds);
    const { resources: audiences } = bounds;
    return { subject, registration, authority: issuer.id, boundTo, use, ...defined({ audiences }) };
  };
}

function checkClaims({ sub, jti, iat, scope, resource }: Readonly<Record<string, unknown>>): {
  readonly sub: string;
  readonly jti: string;
  readonly iat: number;
  readonly scope?: string;
  readonly resources?: readonly string[];
} {
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
  const resources: readonly unknown[] = resource === undefined ? [] : [resource].flat();
  if (
    !isText(sub) ||
    sub.length > 255 ||
    sub.includes('\0') ||
    !isText(jti) ||
    jti.length > 256 ||
    typeof iat !== 'number' ||
    !(scope === undefined || typeof scope === 'string') ||
    !resources.every(isText)
  )
    throw new OAuthError('id_jag_claims_invalid');
  return {
    sub,
    jti,
    iat,
    ...(scope !== undefined && { scope }),
    ...(resource !== undefined && { resources }),
  };
}

function useOf(
  { issuer, expiresAt }: TrustedIssuerToken,
  jti: string,
  iat: number,
  { clockTolerance }: IdentityAssertionOptions,
): SingleUse {
  const until = expiresAt + 1 + clockTolerance;
  return singleUse('id_jag', issuer.issuer, '', jti, { from: iat - clockTolerance, until });
}
