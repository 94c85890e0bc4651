import { fromBase64 } from './base64url.ts';
import { HolderError } from './holder-error.ts';
import type { TokenAnswer } from './issued-token.ts';
import type { TokenRequest } from './token-request.ts';

/** What to request at another authorization server. */
export interface IdentityAssertionRequest {
  /** The ID token of the user, which counts once. */
  readonly subjectToken: string;
  /** Issuer identifier of the authorization server that accepts the grant. */
  readonly audience: string;
  /** The resource there; default: none. */
  readonly resource?: string;
  /** Scopes there, separated by spaces; default: all that the client may have. */
  readonly scope?: string;
}

/**
 * An identity assertion authorization grant. `assertion` is hidden when it is printed or converted
 * to JSON.
 */
export interface IdentityAssertion {
  /** The `assertion` of a request at the other server (RFC 7523 §2.1). */
  readonly assertion: string;
  /** Milliseconds since the epoch by this machine's clock; undefined if the server did not say. */
  readonly expiresAt: number | undefined;
  readonly scope: string | undefined;
}

const tokenType = (name: string) => `urn:ietf:params:oauth:token-type:${name}`;

/** The token exchange for such a grant (draft-ietf-oauth-identity-assertion-authz-grant §4.3). */
export function identityAssertionRequest({
  subjectToken,
  audience,
  resource,
  scope,
}: IdentityAssertionRequest): Omit<TokenRequest, 'grantType'> {
  if (typeof subjectToken !== 'string' || subjectToken === '')
    throw new HolderError('invalid_options', 'there is no ID token to exchange');
  return {
    target: { resource, scope },
    parameters: {
      subject_token: subjectToken,
      subject_token_type: tokenType('id_token'),
      requested_token_type: tokenType('id-jag'),
      audience,
    },
    additionalHolders: [],
  };
}

/** The grant in a response, if it is bound to the key with this thumbprint. Throws HolderError. */
export function identityAssertion(
  { access_token: assertion, token_type: type, expires_in, scope, issued_token_type }: TokenAnswer,
  thumbprint: string | undefined,
  now: number,
): IdentityAssertion {
  if (type !== 'n_a' || issued_token_type !== tokenType('id-jag'))
    throw new HolderError('token_response_invalid', 'the server answered no assertion grant');
  if (thumbprint === undefined || confirmed(assertion) !== thumbprint)
    throw new HolderError('token_not_bound', 'the grant is not bound to the key of this holder');
  const grant = {
    expiresAt: expires_in === undefined ? undefined : now + expires_in * 1000,
    scope,
  };
  Object.defineProperty(grant, 'assertion', { value: assertion, enumerable: false });
  return grant as IdentityAssertion;
}

/** The `cnf.jkt` of a JWT, which the server that accepts it verifies. */
function confirmed(jwt: string): unknown {
  try {
    const payload = new TextDecoder().decode(fromBase64(jwt.split('.')[1] ?? ''));
    return (JSON.parse(payload) as { readonly cnf?: { readonly jkt?: unknown } }).cnf?.jkt;
  } catch {
    return undefined;
  }
}
