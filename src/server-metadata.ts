import { grantTypes, tokenEndpointAuthMethods } from './client-registration.ts';
import type { Config } from './config.ts';
import type { Endpoints } from './endpoints.ts';
import { accessTokenSigningAlgorithms } from './jose/algorithms.ts';

/** Authorization server metadata (RFC 8414 §2): only what is really switched on. */
export function serverMetadata(config: Config, endpoints: Endpoints): object {
  const authMethods = tokenEndpointAuthMethods.filter((method) => !method.includes('tls_client_auth') || mutualTls(config));
  return {
    issuer: config.issuer,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    introspection_endpoint: endpoints.introspection,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    introspection_signing_alg_values_supported: accessTokenSigningAlgorithms,
    revocation_endpoint: endpoints.revocation,
    revocation_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_signing_alg_values_supported: config.assertionAlgs,
    // Required by RFC 8414 §2 though empty: there is no authorization endpoint.
    response_types_supported: [],
    ...(mutualTls(config) && { tls_client_certificate_bound_access_tokens: true }),
    ...(endpoints.mtlsToken !== undefined && { mtls_endpoint_aliases: { token_endpoint: endpoints.mtlsToken } }),
    grant_types_supported: grantTypes,
    token_endpoint_auth_methods_supported: authMethods,
    token_endpoint_auth_signing_alg_values_supported: config.assertionAlgs,
    dpop_signing_alg_values_supported: config.dpopAlgs,
    alt_cnf_supported: true,
    alt_cnf_max: config.altCnfMax,
    cnf_proof_signing_alg_values_supported: config.dpopAlgs,
    req_cnf_methods_supported: ['jwk', 'jkt', 'kid'],
  };
}

/** Whether a certificate of a client can reach this server at all. */
function mutualTls({ tls, clientCertificateHeader }: Config): boolean {
  return tls !== undefined || clientCertificateHeader !== undefined;
}
