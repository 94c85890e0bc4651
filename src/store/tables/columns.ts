/**
 * The JSON columns as this server writes them. `satisfies` ties each to its domain type: a member
 * added there must be added here.
 */

import {
  array,
  boolean,
  check,
  exactOptional,
  integer,
  minLength,
  minValue,
  number,
  picklist,
  pipe,
  string,
  union,
  unknown,
} from 'valibot';
import type { AuthorizationServer } from '../../domain/authorization-server.ts';
import {
  type ClientMetadata,
  clientAssertionAudiences,
  grantTypes,
  type StoredSecret,
  tokenEndpointAuthMethods,
} from '../../domain/client-registration.ts';
import { confirmationMethods } from '../../domain/confirmation-methods.ts';
import type { Pairing } from '../../domain/pairing.ts';
import {
  gatewayModes,
  multiKeyForms,
  type ResourceServerMetadata,
} from '../../domain/resource-server.ts';
import type { TrustRule } from '../../domain/trust-rule.ts';
import { type TrustedIssuer, trustPurposes } from '../../domain/trusted-issuer.ts';
import { accessTokenSigningAlgorithms, signingAlgorithms } from '../../jose/algorithms.ts';
import { dictionary, jsonColumn, object } from './json-column.ts';

type Members<T> = Record<keyof T, unknown>;
const text = string();
const optionalText = exactOptional(text);
const flag = boolean();
const optionalFlag = exactOptional(flag);
const texts = array(text);
const instant = pipe(number(), integer());
const anyObject = dictionary(unknown());
const jwkSet = exactOptional(object({ keys: array(anyObject) }));

export const readClientMetadata = jsonColumn(
  object({
    client_name: optionalText,
    token_endpoint_auth_method: picklist(tokenEndpointAuthMethods),
    secret_in_either_place: optionalFlag,
    token_endpoint_auth_signing_alg: exactOptional(picklist(signingAlgorithms)),
    client_assertion_audiences: exactOptional(picklist(clientAssertionAudiences)),
    grant_types: array(picklist(grantTypes)),
    scope: optionalText,
    jwks: jwkSet,
    jwks_uri: optionalText,
    tls_client_auth_subject_dn: optionalText,
    tls_client_auth_san_dns: optionalText,
    tls_client_auth_san_uri: optionalText,
    tls_client_auth_san_ip: optionalText,
    tls_client_auth_san_email: optionalText,
    tls_client_certificate_bound_access_tokens: optionalFlag,
    dpop_bound_access_tokens: flag,
    dpop_nonce_required: flag,
    client_assertion_bound_access_tokens: flag,
    resources: exactOptional(texts),
    admin_scopes: exactOptional(texts),
    alt_cnf_holders: exactOptional(texts),
    alt_cnf_requesters: exactOptional(texts),
    alt_cnf_registered_key: optionalFlag,
    disabled: flag,
  } satisfies Members<ClientMetadata>),
);

export const readSecrets = jsonColumn(
  array(
    object({
      id: text,
      hash: text,
      created_at: instant,
      expires_at: exactOptional(instant),
    } satisfies Members<StoredSecret>),
  ),
);

export const readResourceServerMetadata = jsonColumn(
  object({
    audience: text,
    name: optionalText,
    scopes: texts,
    cnf_methods_supported: pipe(array(picklist(confirmationMethods)), minLength(1)),
    alt_cnf_supported: optionalFlag,
    jwks: jwkSet,
    symmetric_keys_enabled: optionalFlag,
    multi_key_form: exactOptional(picklist(multiKeyForms)),
    status_list_enabled: optionalFlag,
    introspection_requires_proof: optionalFlag,
    origins: exactOptional(texts),
    gateway_mode: exactOptional(picklist(gatewayModes)),
    access_token_lifetime: pipe(number(), integer(), minValue(1)),
    access_token_signing_alg: picklist(accessTokenSigningAlgorithms),
  } satisfies Members<ResourceServerMetadata>),
);

export const readPairingLimits = jsonColumn(
  object({ scope: optionalText, resources: exactOptional(texts) } satisfies Members<
    Pick<Pairing, 'scope' | 'resources'>
  >),
);

export const readTrustedIssuer = jsonColumn(
  object({
    purposes: array(picklist(trustPurposes)),
    audience: exactOptional(union([text, texts])),
    jwks: jwkSet,
    jwks_uri: optionalText,
    trust_bundle: jwkSet,
    trust_bundle_uri: optionalText,
    trust_bundle_file: optionalText,
    allow_private_addresses: optionalFlag,
    ca: optionalText,
    ca_file: optionalText,
    algorithms: exactOptional(array(picklist(signingAlgorithms))),
    max_lifetime: exactOptional(instant),
    clients: exactOptional(texts),
    subject_prefix: optionalText,
  } satisfies Members<Omit<TrustedIssuer, 'id' | 'issuer' | 'listed'>>),
);

export const readAuthorizationServer = jsonColumn(
  object({
    clients: array(object({ client_id: text, remote_client_id: text })),
    scope: optionalText,
    resources: exactOptional(texts),
    signing_alg: picklist(accessTokenSigningAlgorithms),
  } satisfies Members<Omit<AuthorizationServer, 'id' | 'issuer' | 'listed'>>),
);

export const readTrustRule = jsonColumn(
  object({
    name: optionalText,
    // Without conditions a rule would match every token.
    claims: pipe(
      dictionary(union([text, number(), flag, object({ exact: text }), object({ prefix: text })])),
      check((claims) => Object.keys(claims).length > 0),
    ),
    client_id: optionalText,
    subject: optionalText,
    scope: optionalText,
    resources: exactOptional(texts),
    access_token_lifetime: exactOptional(instant),
    pin: optionalFlag,
  } satisfies Members<Omit<TrustRule, 'id' | 'trusted_issuer_id' | 'priority' | 'listed'>>),
);

export const readDetail = jsonColumn(anyObject);
