import { decodeProtectedHeader } from 'jose/decode/protected_header';
import { type ClientRegistration, names } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { withinRule } from '../../domain/trust-rule.ts';
import type { Ports } from '../../ports/ports.ts';
import type { VerifyTrustedIssuerToken } from '../trusted-issuers/verify-trusted-issuer-token.ts';

/** What an identity assertion authorization grant gives a client. */
export interface IdentityAssertion {
  readonly subject: string;
  /** The client, with no more scope and audiences than the assertion has. */
  readonly registration: ClientRegistration;
  /** Id of the trusted issuer. */
  readonly authority: string;
  /** Thumbprint of the key that the assertion is bound to. */
  readonly boundTo: string | undefined;
}

export interface IdentityAssertionOptions extends Pick<Ports, 'currentClients'> {
  readonly verify: VerifyTrustedIssuerToken;
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
 * (draft-ietf-oauth-identity-assertion-authz-grant §4.4.1). It may be shown again while it lives,
 * in place of a refresh token. Throws an OAuthError.
 */
export function identityAssertion({ verify, currentClients }: IdentityAssertionOptions) {
  return async (assertion: string, client: ClientRegistration): Promise<IdentityAssertion> => {
    const { issuer, claims, boundTo } = await verify(assertion, 'id_jag');
    if (claims['client_id'] !== client.client_id) throw new OAuthError('id_jag_client_mismatch');
    if (issuer.clients !== undefined && !names(issuer.clients, issuer.listed, client))
      throw new OAuthError('id_jag_client_not_allowed');
    const { sub, ...bounds } = checkClaims(claims);
    const subject = (issuer.subject_prefix ?? '') + sub;
    // A user must not pass for a client where only `sub` is looked at (RFC 9700 §4.15).
    if ((await currentClients.findClient(subject)) !== undefined)
      throw new OAuthError('id_jag_subject_is_a_client');
    return { subject, registration: withinRule(client, bounds), authority: issuer.id, boundTo };
  };
}

function checkClaims({ sub, jti, iat, scope, resource }: Readonly<Record<string, unknown>>): {
  readonly sub: string;
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
    typeof iat !== 'number' ||
    !(scope === undefined || typeof scope === 'string') ||
    !resources.every(isText)
  )
    throw new OAuthError('id_jag_claims_invalid');
  return {
    sub,
    ...(scope !== undefined && { scope }),
    ...(resource !== undefined && { resources }),
  };
}
