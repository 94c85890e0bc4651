import { grantTypes, tokenEndpointAuthMethods } from './client-registration.ts';
import type { Config } from './config.ts';
import type { Endpoints } from './endpoints.ts';
import { accessTokenSigningAlgorithms } from './jose/algorithms.ts';

/** Authorization server metadata (RFC 8414 §2): only what is really switched on. */
export function serverMetadata(config: Config, endpoints: Endpoints): object {
  return {
    issuer: config.issuer,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    introspection_endpoint: endpoints.introspection,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    introspection_signing_alg_values_supported: accessTokenSigningAlgorithms,
    revocation_endpoint: endpoints.revocation,
    revocation_endpoint_auth_methods_supported: tokenEndpointAuthMethods,
    revocation_endpoint_auth_signing_alg_values_supported: config.assertionAlgs,
    // Required by RFC 8414 §2 though empty: there is no authorization endpoint.
    response_types_supported: [],
    grant_types_supported: grantTypes,
    token_endpoint_auth_methods_supported: tokenEndpointAuthMethods,
    token_endpoint_auth_signing_alg_values_supported: config.assertionAlgs,
    dpop_signing_alg_values_supported: config.dpopAlgs,
    alt_cnf_supported: true,
    alt_cnf_max: config.altCnfMax,
    cnf_proof_signing_alg_values_supported: config.dpopAlgs,
    req_cnf_methods_supported: ['jwk', 'jkt', 'kid'],
  };
}
