import { OAuthError } from '../../domain/oauth-error.ts';
import { decodeBase64url } from '../../jose/base64url.ts';
import { JoseError } from '../../jose/jose-error.ts';
import { readPublicKey } from '../../jose/public-key.ts';
import { withoutUnknownMembers } from '../../jose/public-members.ts';
import { parseStrictJson } from '../../jose/strict-json.ts';

/** What `req_cnf` names: a key by thumbprint, or a registered key by its `kid`. */
export type NamedKey = { readonly jkt: string } | { readonly kid: string };

/** Characters of `req_cnf`; an ML-DSA-87 key has 3,500. */
const maxLength = 8192;

/**
 * Reads `req_cnf` (RFC 9201 §3.1): JSON, or base64url of it, with one of `jwk`, `jkt`, `kid`.
 * Throws `invalid_request` if malformed, `unsupported_pop_key` for a key that cannot be used.
 */
export function readReqCnf(text: string): NamedKey {
  const members = Object.entries(parseMembers(text));
  const [member] = members;
  if (member === undefined || members.length > 1) throw new OAuthError('req_cnf_member_count');
  const [method, value] = member;
  switch (method) {
    case 'jwk':
      return { jkt: thumbprintOf(value) };
    case 'jkt':
      if (typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)) return { jkt: value };
      throw new OAuthError('req_cnf_jkt_malformed');
    case 'kid':
      if (typeof value === 'string' && value !== '') return { kid: value };
      throw new OAuthError('req_cnf_kid_malformed');
    case 'x5t#S256':
      throw new OAuthError('req_cnf_certificate_by_name');
    default:
      throw new OAuthError('req_cnf_method_unknown');
  }
}

function parseMembers(text: string): Record<string, unknown> {
  if (text.length > maxLength) throw new OAuthError('req_cnf_too_long');
  try {
    const json = text.trimStart().startsWith('{') ? text : decodeBase64url(text)?.toString('utf8');
    return parseStrictJson(json ?? '');
  } catch {
    throw new OAuthError('req_cnf_not_json');
  }
}

function thumbprintOf(jwk: unknown): string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new OAuthError('req_cnf_jwk_malformed');
  try {
    return readPublicKey(withoutUnknownMembers(jwk)).jkt;
  } catch (cause) {
    if (cause instanceof JoseError && cause.reason === 'private_member')
      throw new OAuthError('req_cnf_private_key');
    throw new OAuthError('req_cnf_key_unusable', { cause });
  }
}
