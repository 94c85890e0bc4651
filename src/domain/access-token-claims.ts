import type { AltConfirmation, Binding } from './binding.ts';
import type { ClientRegistration } from './client-registration.ts';
import type { ActClaim, Grant } from './grant.ts';

/** Claims of an access token (RFC 9068 §2.2, RFC 7800 §3.1). Times in seconds since the epoch. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly scope?: string;
  readonly cnf: Binding['cnf'];
  readonly alt_cnf?: readonly AltConfirmation[];
  readonly act?: ActClaim;
  /** Where the token's state is published (draft-ietf-oauth-status-list §6). */
  readonly status?: { readonly status_list: { readonly idx: number; readonly uri: string } };
  /** The clients that may exchange the token (RFC 8693 §4.4); a list if there are several. */
  readonly may_act?: { readonly client_id: string | readonly string[] };
}

/** The claims for a grant; pure. `now` in seconds since the epoch, `lifetime` in seconds. */
export function accessTokenClaims(
  issuer: string,
  client: ClientRegistration,
  grant: Grant,
  { cnf, alt_cnf }: Binding,
  jti: string,
  now: number,
  lifetime: number,
): AccessTokenClaims {
  return {
    iss: issuer,
    sub: grant.subject,
    aud: grant.resourceServer.audience,
    client_id: client.client_id,
    iat: now,
    exp: Math.min(now + lifetime, grant.expiresAt ?? Number.POSITIVE_INFINITY),
    jti,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
    // Each member is copied by name, because `cnfForClient` is a secret.
    cnf,
    ...(alt_cnf !== undefined && { alt_cnf }),
    ...(grant.act !== undefined && { act: grant.act }),
    ...mayAct(client, grant),
  };
}

/** If the resource server has no `alt_cnf`, paired holders may exchange the token instead. */
function mayAct(
  { alt_cnf_holders = [] }: ClientRegistration,
  { resourceServer, act }: Grant,
): Pick<AccessTokenClaims, 'may_act'> {
  const [first, ...more] = alt_cnf_holders;
  if (
    first === undefined ||
    act !== undefined ||
    resourceServer.alt_cnf_supported === true ||
    resourceServer.multi_key_form === 'jwks'
  )
    return {};
  return { may_act: { client_id: more.length === 0 ? first : alt_cnf_holders } };
}
