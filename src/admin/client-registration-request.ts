import { isDeepStrictEqual } from 'node:util';
import { adminAudience } from '../domain/admin-access.ts';
import {
  type ClientRegistration,
  type StoredSecret,
  signatureJwks,
} from '../domain/client-registration.ts';
import { readPublicKey } from '../jose/public-key.ts';
import { registeredCertificateThumbprint } from '../protocol/client-keys/registered-certificate.ts';
import { addressBytes } from '../x509/address-bytes.ts';
import { parseDistinguishedName } from '../x509/distinguished-name.ts';
import { checkJwks } from './check-jwks.ts';
import { checkJwksUri, type MayBeFetched } from './check-jwks-uri.ts';
import { generateClientSecret, storedSecret } from './client-secrets.ts';
import { checkAll, Problem, refuseIf } from './problem.ts';
import type { ClientBody } from './schemas.ts';

const tlsSubjectMembers = [
  'tls_client_auth_subject_dn',
  'tls_client_auth_san_dns',
  'tls_client_auth_san_uri',
  'tls_client_auth_san_ip',
  'tls_client_auth_san_email',
] as const;

/** A checked registration, and the secret to show once if one was generated. */
export interface CheckedClient {
  readonly client: ClientRegistration;
  readonly clientSecret?: string;
}

/**
 * Checks what the schema cannot: combinations of members, and every key. The stored secrets stay
 * unless a new one is given. Throws Problem.
 */
export function checkClient(
  body: ClientBody,
  clientId: string,
  registered: ClientRegistration | undefined,
  now: number,
  mayBeFetched: MayBeFetched,
): CheckedClient {
  const { client_id: _, client_secret, ...members } = body;
  const stored: readonly StoredSecret[] = registered?.clientSecrets ?? [];
  const method = members.token_endpoint_auth_method ?? 'client_secret_basic';
  const usesSecret = method === 'client_secret_basic' || method === 'client_secret_post';
  checkMembers(body, method, usesSecret, registered, mayBeFetched);
  const clientSecret = usesSecret
    ? (client_secret ?? (stored.length === 0 ? generateClientSecret() : undefined))
    : undefined;
  const replacement = clientSecret === undefined ? stored : [storedSecret(clientSecret, now)];
  const client = {
    ...members,
    client_id: clientId,
    // For a new client the store assigns both.
    registration_id: registered?.registration_id ?? '',
    listed: registered?.listed ?? new Map(),
    token_endpoint_auth_method: method,
    ...(members.token_endpoint_auth_method === undefined && { secret_in_either_place: true }),
    grant_types: members.grant_types ?? ['client_credentials'],
    dpop_bound_access_tokens: members.dpop_bound_access_tokens ?? false,
    dpop_nonce_required: members.dpop_nonce_required ?? false,
    client_assertion_bound_access_tokens: members.client_assertion_bound_access_tokens ?? false,
    disabled: members.disabled ?? false,
    clientSecrets: usesSecret ? replacement : [],
  } as ClientRegistration;
  return { client, ...(clientSecret !== undefined && { clientSecret }) };
}

function checkMembers(
  body: ClientBody,
  method: string,
  usesSecret: boolean,
  registered: ClientRegistration | undefined,
  mayBeFetched: MayBeFetched,
): void {
  const { jwks, jwks_uri, admin_scopes, resources } = body;
  const byKey = method === 'private_key_jwt' || method === 'self_signed_tls_client_auth';
  const asserts = method === 'private_key_jwt';
  checkAll(
    refuseIf(
      jwks !== undefined && jwks_uri !== undefined,
      'jwks and jwks_uri exclude each other',
      'jwks_uri',
    ),
    refuseIf(
      byKey && jwks === undefined && jwks_uri === undefined,
      'this token_endpoint_auth_method needs jwks or jwks_uri',
      'jwks',
    ),
    refuseIf(
      !usesSecret && body.client_secret !== undefined,
      'a client with this token_endpoint_auth_method has no secret',
      'client_secret',
    ),
    refuseIf(
      admin_scopes !== undefined && resources?.includes(adminAudience) !== true,
      `admin_scopes needs ${adminAudience} in resources`,
      'admin_scopes',
    ),
    () => checkTlsSubject(body, method),
    refuseIf(
      !asserts && body.client_assertion_bound_access_tokens === true,
      'only a client that authenticates with private_key_jwt has an assertion key to bind',
      'client_assertion_bound_access_tokens',
    ),
    refuseIf(
      !asserts && body.client_assertion_audiences !== undefined,
      'only a client that authenticates with private_key_jwt sends assertions',
      'client_assertion_audiences',
    ),
    () => {
      if (jwks_uri !== undefined) checkJwksUri(jwks_uri, mayBeFetched);
    },
    () => {
      if (jwks === undefined) return;
      // Certificates that an earlier version accepted must not stand in the way of another change.
      checkJwks(jwks.keys, { certificates: !isDeepStrictEqual(jwks, registered?.jwks) });
      checkUsable(body, method);
    },
  );
}

/** Refuses keys that could never authenticate the client; those of a `jwks_uri` may change. */
function checkUsable(members: ClientBody, method: string): void {
  const keys = signatureJwks(members as Pick<ClientRegistration, 'jwks'>).map((jwk) =>
    readPublicKey(jwk),
  );
  const alg = members.token_endpoint_auth_signing_alg;
  if (method === 'private_key_jwt' && keys.length === 0)
    throw new Problem(400, 'no key in jwks can sign an assertion', 'jwks');
  if (
    method === 'private_key_jwt' &&
    alg !== undefined &&
    !keys.some(({ algs }) => algs.includes(alg))
  )
    throw new Problem(
      400,
      'no key in jwks can sign with this algorithm',
      'token_endpoint_auth_signing_alg',
    );
  if (
    method === 'self_signed_tls_client_auth' &&
    !keys.some((key) => registeredCertificateThumbprint(key) !== undefined)
  )
    throw new Problem(400, 'no key in jwks has its certificate in x5c', 'jwks');
}

function checkTlsSubject(members: ClientBody, method: string): void {
  const named = tlsSubjectMembers.filter((member) => members[member] !== undefined);
  const [first = tlsSubjectMembers[0], second] = named;
  if (method !== 'tls_client_auth' && named.length > 0)
    throw new Problem(400, 'only a tls_client_auth client has a certificate subject', first);
  if (method === 'tls_client_auth' && (named.length === 0 || second !== undefined))
    throw new Problem(
      400,
      'tls_client_auth needs exactly one of the five members that name the subject',
      second ?? first,
    );
  const { tls_client_auth_subject_dn: dn, tls_client_auth_san_ip: ip } = members;
  if (ip !== undefined && addressBytes(ip) === undefined)
    throw new Problem(400, 'this is not an IP address', 'tls_client_auth_san_ip');
  if (dn !== undefined && parseDistinguishedName(dn) === undefined)
    throw new Problem(
      400,
      'this is not a distinguished name in the string form of RFC 4514',
      'tls_client_auth_subject_dn',
    );
}
