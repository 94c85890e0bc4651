/** The JSON columns as this server writes them. `satisfies` keeps each beside its domain type: a member added there must be added here. */
import Type, { type TSchema } from 'typebox';
import { type ClientMetadata, grantTypes, type StoredSecret, tokenEndpointAuthMethods } from '../client-registration.ts';
import { accessTokenSigningAlgorithms, signingAlgorithms } from '../jose/algorithms.ts';
import type { Pairing } from '../pairing.ts';
import { confirmationMethods, multiKeyForms, type ResourceServerMetadata } from '../resource-server.ts';
import type { TrustedIssuer } from '../trusted-issuer.ts';
import { jsonColumn } from './json-column.ts';

type Members<T> = Record<keyof T, TSchema>;
const text = Type.String();
const optionalText = Type.Optional(text);
const flag = Type.Boolean();
const optionalFlag = Type.Optional(flag);
const texts = Type.Array(text);
const oneOf = <const T extends string>(values: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: values });
const jwkSet = Type.Optional(Type.Object({ keys: Type.Array(Type.Unsafe<Record<string, unknown>>({ type: 'object' })) }));

export const readClientMetadata = jsonColumn(
  Type.Object({
    client_name: optionalText,
    token_endpoint_auth_method: oneOf(tokenEndpointAuthMethods),
    token_endpoint_auth_signing_alg: Type.Optional(oneOf(signingAlgorithms)),
    grant_types: Type.Array(oneOf(grantTypes)),
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
    resources: Type.Optional(texts),
    alt_cnf_holders: Type.Optional(texts),
    alt_cnf_requesters: Type.Optional(texts),
    alt_cnf_registered_key: optionalFlag,
    disabled: flag,
  } satisfies Members<ClientMetadata>),
);

export const readSecrets = jsonColumn(
  Type.Array(
    Type.Object({ id: text, hash: text, created_at: Type.Integer(), expires_at: Type.Optional(Type.Integer()) } satisfies Members<StoredSecret>),
  ),
);

export const readResourceServerMetadata = jsonColumn(
  Type.Object({
    audience: text,
    name: optionalText,
    scopes: texts,
    cnf_methods_supported: Type.Array(oneOf(confirmationMethods), { minItems: 1 }),
    alt_cnf_supported: optionalFlag,
    jwks: jwkSet,
    symmetric_keys_enabled: optionalFlag,
    multi_key_form: Type.Optional(oneOf(multiKeyForms)),
    status_list_enabled: Type.Optional(Type.Boolean()),
    access_token_lifetime: Type.Integer({ minimum: 1 }),
    access_token_signing_alg: oneOf(accessTokenSigningAlgorithms),
  } satisfies Members<ResourceServerMetadata>),
);

export const readPairingLimits = jsonColumn(
  Type.Object({ scope: optionalText, resources: Type.Optional(texts) } satisfies Members<Pick<Pairing, 'scope' | 'resources'>>),
);

export const readTrustedIssuer = jsonColumn(
  Type.Object({
    audience: text,
    jwks_uri: text,
    clients: Type.Optional(texts),
    subject_prefix: optionalText,
  } satisfies Members<Omit<TrustedIssuer, 'id' | 'issuer'>>),
);

export const readDetail = jsonColumn(Type.Unsafe<Record<string, unknown>>({ type: 'object' }));
