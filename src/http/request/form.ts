import { OAuthError } from '../../domain/oauth-error.ts';

/**
 * Parameters that must not be repeated (RFC 6749 §3.2), because a server must not guess which value
 * is meant: those of our endpoints and those that IANA has registered for other token requests.
 */
const defined: ReadonlySet<string> = new Set([
  'grant_type',
  'scope',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'req_cnf',
  'token',
  'token_type_hint',
  'dpop_proof',
  'htm',
  'htu',
  'client_certificate',
  'req_alt_cnf',
  'subject_token',
  'subject_token_type',
  'subject_token_proof',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'audience',
  'assertion',
  'authorization_details',
  'code',
  'code_verifier',
  'device_code',
  'password',
  'redirect_uri',
  'refresh_token',
  'username',
]);

/** Maximum parameters of a form; the largest meaningful request has a dozen. */
const most = 100;

/** A decoded form. */
export interface Form {
  readonly parameters: ReadonlyMap<string, string>;
  readonly resources: readonly string[];
}

/**
 * Reads `application/x-www-form-urlencoded` strictly: UTF-8 only; a defined parameter once,
 * whatever its value; empty ones are omitted; unknown ones are ignored (RFC 6749 §3.2, Appendix B).
 * The client is still unknown, so the cost is linear in the body, and an excess parameter is
 * refused immediately. Throws `invalid_request`, and `invalid_target` for a second resource (RFC
 * 8707 §2).
 */
export function readForm(body: string): Form {
  const parameters = new Map<string, string>();
  const seen = new Set<string>();
  let resource: string | undefined;
  const pairs = body.split('&', most + 1);
  if (pairs.length > most) throw new OAuthError('form_too_long');
  for (const pair of pairs) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1));
    if (name === 'resource') {
      if (value !== '' && resource !== undefined)
        throw new OAuthError(value === resource ? 'resource_repeated' : 'several_resources');
      if (value !== '') resource = value;
      continue;
    }
    if (!defined.has(name)) continue;
    if (seen.has(name)) throw new OAuthError('parameter_repeated');
    seen.add(name);
    if (value !== '') parameters.set(name, value);
  }
  return { parameters, resources: resource === undefined ? [] : [resource] };
}

function decode(text: string): string {
  let decoded = text;
  // Most of a form needs no decoding, especially an assertion.
  if (text.includes('%') || text.includes('+')) {
    try {
      decoded = decodeURIComponent(text.replaceAll('+', ' '));
    } catch {
      throw new OAuthError('form_encoding_invalid');
    }
  }
  // No parameter may contain one (RFC 6749 Appendix A), and PostgreSQL refuses it.
  if (decoded.includes('\0')) throw new OAuthError('form_zero_byte');
  return decoded;
}
