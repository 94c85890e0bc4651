import Type from 'typebox';
import { adminScopes } from '../domain/admin-access.ts';
import {
  clientAssertionAudiences,
  grantTypes,
  tokenEndpointAuthMethods,
} from '../domain/client-registration.ts';
import { confirmationMethods } from '../domain/confirmation-methods.ts';
import { gatewayModes, multiKeyForms } from '../domain/resource-server.ts';
import { accessTokenSigningAlgorithms, signingAlgorithms } from '../jose/algorithms.ts';
import { pattern } from './patterns.ts';
import { answerBody, jwkSet, listOf, managedBy, oneOf, requestBody, text } from './schema-parts.ts';

const scopeToken = text({ pattern: pattern('scopeToken'), maxLength: 100 });
const clientIdentifier = text({ pattern: pattern('printable'), maxLength: 255 });
const resourceIdentifier = text({
  pattern: pattern('resource'),
  maxLength: 512,
});

/** A client secret: printable, and long enough that a fast hash is safe to store. */
export const clientSecret = text({ pattern: pattern('printable'), minLength: 32, maxLength: 256 });

const subjectName = text({ minLength: 1, maxLength: 1024, pattern: pattern('plainText') });

/** The `client_id` of a new client. */
export const newClientId = text({ pattern: pattern('clientId'), maxLength: 255 });

/** Members of a client (RFC 7591 §2 and ours). */
export const clientBody = requestBody('ClientBody', {
  client_id: Type.Optional(newClientId),
  client_secret: Type.Optional(clientSecret),
  client_name: Type.Optional(text({ maxLength: 200, pattern: pattern('plainText') })),
  token_endpoint_auth_method: Type.Optional(
    oneOf(tokenEndpointAuthMethods, {
      description:
        'How the client authenticates. Absent: with its secret, either by Basic or in the ' +
        'body of each request; shown as `client_secret_basic`.',
    }),
  ),
  token_endpoint_auth_signing_alg: Type.Optional(oneOf(signingAlgorithms)),
  client_assertion_audiences: Type.Optional(
    oneOf(clientAssertionAudiences, {
      description:
        'Values of `aud` accepted in its assertions besides the issuer as a string. ' +
        '`issuer`: an array of the issuer alone; `endpoint`: also the URI of the called ' +
        'endpoint, as a string or alone in an array.',
    }),
  ),
  grant_types: Type.Optional(listOf(oneOf(grantTypes), { minItems: 1 })),
  scope: Type.Optional(text({ pattern: pattern('scope'), maxLength: 4000 })),
  jwks: Type.Optional(jwkSet),
  jwks_uri: Type.Optional(text({ pattern: pattern('httpsUrl'), maxLength: 2048 })),
  tls_client_auth_subject_dn: Type.Optional(subjectName),
  tls_client_auth_san_dns: Type.Optional(subjectName),
  tls_client_auth_san_uri: Type.Optional(subjectName),
  tls_client_auth_san_ip: Type.Optional(subjectName),
  tls_client_auth_san_email: Type.Optional(subjectName),
  tls_client_certificate_bound_access_tokens: Type.Optional(Type.Boolean()),
  dpop_bound_access_tokens: Type.Optional(Type.Boolean()),
  dpop_nonce_required: Type.Optional(Type.Boolean()),
  client_assertion_bound_access_tokens: Type.Optional(Type.Boolean()),
  resources: Type.Optional(listOf(resourceIdentifier, { minItems: 1 })),
  admin_scopes: Type.Optional(
    listOf(oneOf(adminScopes), {
      minItems: 1,
      description:
        'Its scopes at this API, with tokens for `urn:holdfast:admin`, which `resources` ' +
        'must include. Only an admin with `admin:grant` can set it.',
    }),
  ),
  alt_cnf_holders: Type.Optional(listOf(clientIdentifier)),
  alt_cnf_requesters: Type.Optional(listOf(clientIdentifier)),
  alt_cnf_registered_key: Type.Optional(Type.Boolean()),
  disabled: Type.Optional(Type.Boolean()),
});
export type ClientBody = Type.Static<typeof clientBody>;

/** Members of a resource server. */
export const resourceServerBody = requestBody('ResourceServerBody', {
  audience: resourceIdentifier,
  client_id: Type.Optional(clientIdentifier),
  client_secret: Type.Optional(clientSecret),
  name: Type.Optional(text({ maxLength: 200, pattern: pattern('plainText') })),
  scopes: Type.Optional(listOf(scopeToken)),
  cnf_methods_supported: Type.Optional(listOf(oneOf(confirmationMethods), { minItems: 1 })),
  alt_cnf_supported: Type.Optional(Type.Boolean()),
  jwks: Type.Optional(jwkSet),
  symmetric_keys_enabled: Type.Optional(Type.Boolean()),
  multi_key_form: Type.Optional(oneOf(multiKeyForms)),
  status_list_enabled: Type.Optional(Type.Boolean()),
  introspection_requires_proof: Type.Optional(
    Type.Boolean({
      description:
        'True: a token is active only if the same introspection request has a valid ' +
        'proof. For resource servers that cannot check proofs.',
    }),
  ),
  origins: Type.Optional(
    listOf(text({ pattern: pattern('origin'), maxLength: 300 }), {
      minItems: 1,
      description:
        'Origins at which gateways serve it, each https, or http on loopback. Without ' +
        'one, gateways cannot ask about it.',
    }),
  ),
  gateway_mode: Type.Optional(
    oneOf(gatewayModes, {
      description:
        'What gateways are told about a request that fails. `enforce`, the default: the ' +
        'refusal. `report`: to let it pass, with the refusal that would apply.',
    }),
  ),
  access_token_lifetime: Type.Optional(Type.Integer({ minimum: 1, maximum: 604_800 })),
  access_token_signing_alg: Type.Optional(oneOf(accessTokenSigningAlgorithms)),
});
export type ResourceServerBody = Type.Static<typeof resourceServerBody>;

const once = {
  client_secret: Type.Optional(
    Type.String({
      description: 'Shown only in the response to the request that set or created it.',
    }),
  ),
  client_secret_expires_at: Type.Optional(
    Type.Literal(0, {
      description: 'Accompanies `client_secret` (RFC 7591 §3.2.1): it does not expire.',
    }),
  ),
};

const { client_secret: _, ...clientMembers } = clientBody.properties;
/** A client in responses. */
export const clientAnswer = answerBody('Client', {
  ...clientMembers,
  client_id: clientIdentifier,
  client_id_issued_at: Type.Integer({ description: 'Seconds since the epoch.' }),
  token_endpoint_auth_method: oneOf(tokenEndpointAuthMethods),
  grant_types: listOf(oneOf(grantTypes)),
  dpop_bound_access_tokens: Type.Boolean(),
  dpop_nonce_required: Type.Boolean(),
  client_assertion_bound_access_tokens: Type.Boolean(),
  disabled: Type.Boolean(),
  managed_by: managedBy,
});
export const changedClientAnswer = answerBody('ChangedClient', {
  ...clientAnswer.properties,
  ...once,
});

const { client_secret: __, ...resourceServerMembers } = resourceServerBody.properties;
/** A resource server in responses. */
export const resourceServerAnswer = answerBody('ResourceServer', {
  ...resourceServerMembers,
  id: Type.String(),
  client_id: clientIdentifier,
  scopes: listOf(scopeToken),
  cnf_methods_supported: listOf(oneOf(confirmationMethods), { minItems: 1 }),
  access_token_lifetime: Type.Integer({ description: 'Seconds.' }),
  access_token_signing_alg: oneOf(accessTokenSigningAlgorithms),
  managed_by: managedBy,
});
/** Members of the response to a change, with the secret if one was generated. */
export const changedResourceServerMembers = { ...resourceServerAnswer.properties, ...once };
