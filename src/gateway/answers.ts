import type { OAuthError } from '../domain/oauth-error.ts';
import type { ResourceServer } from '../domain/resource-server.ts';
import type { AdmittedRequest } from '../protocol/gateway/admitted-request.ts';

/** Header fields of an answer. */
export type Fields = Readonly<Record<string, string>>;

/**
 * Identifies the admitted client to the upstream. All fields are always present, so that none from
 * the client with the same name remains; characters outside printable ASCII are percent-encoded.
 */
export function identityFields({ claims, presenter, thumbprint }: AdmittedRequest): Fields {
  return {
    'Holdfast-Subject': encoded(claims.sub),
    'Holdfast-Client-Id': encoded(claims.client_id),
    'Holdfast-Presenter': encoded(presenter),
    'Holdfast-Scope': (claims.scope ?? '').split(' ').map(encoded).join(' '),
    'Holdfast-Key': thumbprint,
    'Holdfast-Token-Id': encoded(claims.jti),
  };
}

/** Percent-encodes `%` and all but U+0021 to U+007E; `decodeURIComponent` decodes it. */
function encoded(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]+/gu, encodeURIComponent);
}

/** The content of a challenge besides the error. */
export interface Challenged {
  /** Undefined: not known yet, so that no challenge would be correct. */
  readonly resourceServer: ResourceServer | undefined;
  /** Algorithms of DPoP proofs. */
  readonly algs: readonly string[];
  readonly scopes: readonly string[];
}

/** Status, fields and body of a refusal (RFC 6750 §3, RFC 9449 §7.1 and §9). */
export function refusal(error: OAuthError, challenged: Challenged, freshNonce: () => string) {
  const status = error.status === 400 ? 401 : error.status;
  // Without a token there is no error to report (RFC 6750 §3.1).
  const code =
    error.reason === 'access_token_missing'
      ? undefined
      : error.code === 'invalid_client'
        ? 'invalid_token'
        : error.code;
  const isChallenge = status === 401 || error.code === 'insufficient_scope';
  const fields: Fields = {
    ...(isChallenge && { 'WWW-Authenticate': challenges(code, error.message, challenged) }),
    ...(code === 'use_dpop_nonce' && { 'DPoP-Nonce': freshNonce() }),
    ...(status === 503 && { 'Retry-After': '1' }),
  };
  const body = { ...(code !== undefined && { error: code }), error_description: error.message };
  return { status, fields, body };
}

/**
 * A challenge for each scheme in which a token of the resource server can be presented, in one
 * field, because gateways lose a second one.
 */
function challenges(
  error: string | undefined,
  description: string,
  { resourceServer, algs, scopes }: Challenged,
): string {
  const methods = resourceServer?.cnf_methods_supported ?? ['jkt'];
  const parameters = [
    ...(error === undefined
      ? []
      : [`error="${error}"`, `error_description="${description.replaceAll('"', "'")}"`]),
    ...(error === 'insufficient_scope' ? [`scope="${scopes.join(' ')}"`] : []),
  ];
  return [
    ...(methods.some((method) => method !== 'x5t#S256')
      ? [`DPoP ${[`algs="${algs.join(' ')}"`, ...parameters].join(', ')}`]
      : []),
    ...(methods.includes('x5t#S256')
      ? [['Bearer', parameters.join(', ')].join(' ').trimEnd()]
      : []),
  ].join(', ');
}
