import type { Config } from '../../config/config.ts';
import { grantTypes, tokenEndpointAuthMethods } from '../../domain/client-registration.ts';
import { accessTokenSigningAlgorithms } from '../../jose/algorithms.ts';
import { canVouch } from '../../x509/certificate-header.ts';
import { tokenTypes } from '../grant/token-type.ts';
import type { Endpoints } from './endpoint-uris.ts';

/** Authorization server metadata (RFC 8414 §2), with only what is enabled. */
export function serverMetadata(config: Config, endpoints: Endpoints): object {
  const authMethods = tokenEndpointAuthMethods.filter(
    (method) => !certificateMethods.has(method) || byCertificate(config).includes(method),
  );
  return {
    issuer: config.issuer,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    introspection_endpoint: endpoints.introspection,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    introspection_signing_alg_values_supported: accessTokenSigningAlgorithms,
    revocation_endpoint: endpoints.revocation,
    revocation_endpoint_auth_methods_supported: authMethods.filter(
      (method) => method !== 'workload_jwt' && method !== 'spiffe_jwt',
    ),
    revocation_endpoint_auth_signing_alg_values_supported: config.assertionAlgs,
    // Required by RFC 8414 §2 though empty: there is no authorization endpoint.
    response_types_supported: [],
    ...(byCertificate(config).length > 0 && { tls_client_certificate_bound_access_tokens: true }),
    ...(endpoints.mtls !== undefined && {
      mtls_endpoint_aliases: {
        token_endpoint: endpoints.mtls.token,
        revocation_endpoint: endpoints.mtls.revocation,
      },
    }),
    grant_types_supported: grantTypes,
    identity_chaining_requested_token_types_supported: [tokenTypes.idJag],
    authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
    token_endpoint_auth_methods_supported: authMethods,
    token_endpoint_auth_signing_alg_values_supported: config.assertionAlgs,
    dpop_signing_alg_values_supported: config.dpopAlgs,
    alt_cnf_supported: true,
    alt_cnf_max: config.altCnfMax,
    cnf_proof_signing_alg_values_supported: config.dpopAlgs,
    subject_token_proof_signing_alg_values_supported: config.dpopAlgs,
    req_cnf_methods_supported: ['jwk', 'jkt', 'kid'],
  };
}

const certificateMethods: ReadonlySet<string> = new Set([
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'spiffe_x509',
]);

/**
 * The certificate authentication methods: none if no certificate can reach this server, and by
 * subject name only if something verifies the chain.
 */
function byCertificate({
  tls,
  tlsClientCaFile,
  clientCertificateHeader,
}: Config): readonly string[] {
  if (tls === undefined && clientCertificateHeader === undefined) return [];
  const vouched =
    tlsClientCaFile !== undefined ||
    (clientCertificateHeader !== undefined && canVouch(clientCertificateHeader));
  return vouched
    ? ['tls_client_auth', 'self_signed_tls_client_auth', 'spiffe_x509']
    : ['self_signed_tls_client_auth', 'spiffe_x509'];
}
