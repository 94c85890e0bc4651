import { decodeProtectedHeader } from 'jose/decode/protected_header';
import { type ClientRegistration, names } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type SingleUse, singleUse } from '../../domain/single-use.ts';
import { withinRule } from '../../domain/trust-rule.ts';
import type { Ports } from '../../ports/ports.ts';
import type {
  TrustedIssuerToken,
  VerifyTrustedIssuerToken,
} from '../trusted-issuers/verify-trusted-issuer-token.ts';

/** What an identity assertion authorization grant gives a client. */
export interface IdentityAssertion {
  readonly subject: string;
  /** The client, with no more scope and audiences than the assertion has. */
  readonly registration: ClientRegistration;
  /** Id of the trusted issuer. */
  readonly authority: string;
  /** Thumbprint of the key that the assertion is bound to. */
  readonly boundTo: string | undefined;
  readonly use: SingleUse;
}

export interface IdentityAssertionOptions extends Pick<Ports, 'currentClients'> {
  readonly verify: VerifyTrustedIssuerToken;
  /** Of this server. */
  readonly issuer: string;
  /** Seconds. */
  readonly clockTolerance: number;
}

/** Whether an assertion says that it is one; its signature is not looked at. */
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
 * (draft-ietf-oauth-identity-assertion-authz-grant §4.4.1). It counts once, and is not of this
 * server itself, which would widen what it gave for elsewhere. Throws an OAuthError.
 */
export function identityAssertion(options: IdentityAssertionOptions) {
  const { verify, currentClients } = options;
  return async (assertion: string, client: ClientRegistration): Promise<IdentityAssertion> => {
    const token = await verify(assertion, 'id_jag');
    const { issuer, claims, boundTo } = token;
    if (issuer.issuer === options.issuer) throw new OAuthError('id_jag_issuer_not_trusted');
    if (claims['client_id'] !== client.client_id) throw new OAuthError('id_jag_client_mismatch');
    if (issuer.clients !== undefined && !names(issuer.clients, issuer.listed, client))
      throw new OAuthError('id_jag_client_not_allowed');
    const { sub, jti, iat, ...bounds } = checkClaims(claims);
    const subject = (issuer.subject_prefix ?? '') + sub;
    // A user must not pass for a client where only `sub` is looked at (RFC 9700 §4.15).
    if ((await currentClients.findClient(subject)) !== undefined)
      throw new OAuthError('id_jag_subject_is_a_client');
    const use = useOf(token, jti, iat, options);
    const registration = withinRule(client, bounds);
    return { subject, registration, authority: issuer.id, boundTo, use };
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
