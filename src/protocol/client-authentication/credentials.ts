import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import { isRuleClientId } from '../../domain/trust-rule.ts';
import { jsonPart } from '../../jose/compact-jws.ts';

/** The credentials that a request carries; exactly one kind (RFC 6749 §2.3). */
export type Credentials =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly clientId: string;
      readonly clientSecret: string;
    }
  | { readonly method: 'tls'; readonly clientId: string }
  | {
      readonly method: 'private_key_jwt';
      readonly clientId: string | undefined;
      readonly assertion: string;
    }
  /** The platform signed the assertion, not the client. */
  | {
      readonly method: 'platform_token';
      readonly clientId: string | undefined;
      readonly assertion: string;
    }
  /** The grant names the workload. */
  | { readonly method: 'grant'; readonly clientId: string | undefined };

/** The parts of a request that can hold credentials. */
export type RequestWithCredentials = Pick<
  OAuthRequest,
  'authorization' | 'parameters' | 'clientCertificate'
>;

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** draft-ietf-oauth-spiffe-client-auth §3.1. */
const jwtSpiffe = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe';
const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** Maximum characters of the claims to read; those of a platform token are shorter. */
const longestClaims = 16_384;

/**
 * Finds the credentials in the request; an equal `client_id` beside them is accepted, a second
 * credential is not. Throws `invalid_request` for several credentials, `invalid_client` for none or
 * unreadable ones.
 */
export function readCredentials({
  authorization,
  parameters,
  clientCertificate,
}: RequestWithCredentials): Credentials {
  const clientId = parameters.get('client_id');
  const secret = parameters.get('client_secret');
  const assertion = parameters.get('client_assertion');
  const assertionType = parameters.get('client_assertion_type');
  if (
    [authorization, secret, assertion].filter((credential) => credential !== undefined).length > 1
  ) {
    throw new OAuthError('several_credentials');
  }
  if (authorization !== undefined) {
    const basic = readBasic(authorization);
    if (clientId !== undefined && clientId !== basic.clientId) {
      throw new OAuthError('client_id_mismatch');
    }
    return basic;
  }
  if (assertion !== undefined) {
    if (assertionType === jwtSpiffe) return { method: 'platform_token', clientId, assertion };
    if (assertionType !== jwtBearer) throw new OAuthError('assertion_type_unknown');
    const method = isOfPlatform(assertion) ? 'platform_token' : 'private_key_jwt';
    return { method, clientId, assertion };
  }
  if (assertionType !== undefined) throw new OAuthError('assertion_missing');
  // An unregistered workload is identified by the assertion of its grant; a `client_id` beside it
  // can only name a rule.
  if (
    parameters.get('grant_type') === jwtBearerGrant &&
    secret === undefined &&
    (clientId === undefined || isRuleClientId(clientId))
  )
    return { method: 'grant', clientId };
  // A certificate does not name a client, so a mutual-TLS request needs client_id (RFC 8705 §2).
  if (clientId !== undefined && secret === undefined && clientCertificate !== undefined)
    return { method: 'tls', clientId };
  if (clientId === undefined || secret === undefined) throw new OAuthError('credentials_missing');
  return { method: 'client_secret_post', clientId, clientSecret: secret };
}

function readBasic(authorization: string): Credentials {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization) ?? [];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const clientId = colon < 1 ? undefined : formDecode(text.slice(0, colon));
  const clientSecret = formDecode(text.slice(colon + 1));
  if (clientId === undefined || clientSecret === undefined || clientSecret === '') {
    throw new OAuthError('basic_malformed');
  }
  return { method: 'client_secret_basic', clientId, clientSecret };
}

// RFC 6749 §2.3.1: both halves are form-encoded before they are joined; both are VSCHAR (Appendix
// A.1, A.2).
function formDecode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    return /^[\x20-\x7e]*$/.test(decoded) ? decoded : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether an assertion is a platform's token for a workload, judged by its unchecked claims. In a
 * client's own, `iss` and `sub` are equal (RFC 7523 §3).
 */
function isOfPlatform(assertion: string): boolean {
  try {
    const { iss, sub } = jsonPart(assertion.split('.', 2)[1]?.slice(0, longestClaims) ?? '');
    if (iss === undefined) return typeof sub === 'string' && sub.startsWith('spiffe://');
    return iss !== sub && typeof iss === 'string' && /^(?:https?|spiffe):\/\//.test(iss);
  } catch {
    return false;
  }
}
