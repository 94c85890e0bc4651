import type { Config } from '../config/config.ts';
import { observedSteps } from '../observability/observed-steps.ts';
import type { Ports } from '../ports/ports.ts';
import {
  authenticateCaller,
  type Caller,
} from '../protocol/client-authentication/authenticate-caller.ts';
import { requiringProof } from '../protocol/client-authentication/authenticate-client.ts';
import {
  countRefusals,
  instrumentedAuthentication,
} from '../protocol/client-authentication/instrumented-authentication.ts';
import { bind } from '../protocol/confirmation/binding.ts';
import { actorToken } from '../protocol/grant/actor-token.ts';
import { clientCredentials } from '../protocol/grant/client-credentials.ts';
import { idJagExchange } from '../protocol/grant/id-jag-exchange.ts';
import { jwtBearer } from '../protocol/grant/jwt-bearer.ts';
import { subjectAccessToken } from '../protocol/grant/subject-access-token.ts';
import { subjectIdToken } from '../protocol/grant/subject-id-token.ts';
import { tokenExchange } from '../protocol/grant/token-exchange.ts';
import { validateGrant } from '../protocol/grant/validate-grant.ts';
import { checkPresentedProof } from '../protocol/introspection/check-presented-proof.ts';
import { introspectionEndpoint } from '../protocol/introspection/introspection-endpoint.ts';
import { claimKey } from '../protocol/issuance/claim-key.ts';
import { issueAccessToken } from '../protocol/issuance/issue-access-token.ts';
import { issueIdJag } from '../protocol/issuance/issue-id-jag.ts';
import { recordProvenKeys } from '../protocol/issuance/record-proven-keys.ts';
import { statusListUri } from '../protocol/metadata/endpoint-uris.ts';
import { dpop } from '../protocol/possession/dpop.ts';
import { proveAdditionalHolders } from '../protocol/possession/prove-additional-holders.ts';
import { provePossession } from '../protocol/possession/prove-possession.ts';
import { subjectTokenProof } from '../protocol/possession/subject-token-proof.ts';
import { revocationEndpoint } from '../protocol/revocation/revocation-endpoint.ts';
import { statusEntries } from '../protocol/status-list/status-entries.ts';
import { type TokenEndpointSteps, tokenEndpoint } from '../protocol/token/token-endpoint.ts';
import { type EndpointParts, type EndpointsOptions, endpointParts } from './endpoint-parts.ts';

/**
 * Assembles the endpoints at which clients or resource servers authenticate, without transport:
 * authentication methods, grants, proofs and confirmation methods.
 */
export function assembleEndpoints(options: EndpointsOptions) {
  const parts = endpointParts(options);
  return {
    token: tokenEndpointOf(options, parts),
    introspection: introspection(options, parts),
    revocation: revocation(options, parts),
  };
}

/** The token endpoint with its authentication methods, grants, proofs and confirmation methods. */
function tokenEndpointOf(
  options: EndpointsOptions,
  { keys, proofs, clientAuthentication, instrumented, ...parts }: EndpointParts,
) {
  const { config, endpoints, ports, refusals, signingKeys, statusLists, logger } = options;
  const { issuer, clockTolerance, dpopNonceRequired: nonceRequired } = config;
  const { clock } = ports;
  const steps: TokenEndpointSteps = {
    refusals,
    authenticateClient: instrumented(requiringProof(clientAuthentication('token'))),
    validateGrant: validateGrant(grants(config, ports, parts)),
    provePossession: provePossession({
      dpop: dpop({
        ...proofs,
        endpoint: endpoints.token,
        ...(endpoints.mtls !== undefined && { alias: endpoints.mtls.token }),
      }),
      clock,
      subjectTokenProof: subjectTokenProof({ ...proofs, issuer, clockTolerance }),
      nonceRequired,
      registeredKey: keys.signer,
    }),
    proveAdditionalHolders: proveAdditionalHolders({
      ...ports,
      keys,
      cnfProof: {
        ...proofs,
        issuer,
        maxLifetime: config.cnfProofMaxLifetime,
        clockTolerance,
      },
      nonceRequired,
      max: config.altCnfMax,
      registeredKeyMaxAge: config.altCnfRegisteredKeyMaxAge,
    }),
    bind: bind({ issuer, clientEncryptionKey: keys.encryptionKey }),
    issueAccessToken: issueAccessToken({
      ...ports,
      issuer,
      claimKey: claimKey(ports),
      signingKey: signingKeys.current,
      severalKeysMaxLifetime: config.altCnfMaxLifetime,
      statusEntry: statusEntries({
        store: statusLists,
        clock,
        tokenLifetime: config.accessTokenMaxLifetime + clockTolerance,
      }),
      statusListUri: statusListUri(endpoints),
    }),
    issueIdJag: issueIdJag({
      ...ports,
      issuer,
      claimKey: claimKey(ports),
      signingKey: signingKeys.current,
    }),
    recordProvenKeys: recordProvenKeys({
      ...ports,
      onFailure: ({ registration: { client_id } }, err) =>
        logger.error(
          { err, client_id },
          'a token was issued, but its proven keys were not recorded',
        ),
    }),
  };
  return tokenEndpoint(observedSteps(steps, options.observeStep));
}

function grants(
  config: Config,
  ports: Ports,
  {
    verify,
    verifyTrustedIssuerToken,
    match,
    tokenStatus,
    activeHolders,
  }: Pick<
    EndpointParts,
    'verify' | 'verifyTrustedIssuerToken' | 'match' | 'tokenStatus' | 'activeHolders'
  >,
): Parameters<typeof validateGrant>[0] {
  const idToken = subjectIdToken({
    ...ports,
    verify: verifyTrustedIssuerToken,
    clockTolerance: config.clockTolerance,
    maxAge: config.idTokenMaxAge,
  });
  return {
    client_credentials: clientCredentials(ports),
    'urn:ietf:params:oauth:grant-type:jwt-bearer': jwtBearer({
      ...ports,
      match,
      verify: verifyTrustedIssuerToken,
      issuer: config.issuer,
      clockTolerance: config.clockTolerance,
    }),
    'urn:ietf:params:oauth:grant-type:token-exchange': tokenExchange({
      ...ports,
      idJag: idJagExchange({ ...ports, idToken }),
      actor: actorToken({ ...ports, verify, tokenStatus }),
      accessToken: subjectAccessToken({ ...ports, verify, tokenStatus, activeHolders }),
      idToken,
    }),
  };
}

function introspection(
  { ports, refusals }: EndpointsOptions,
  { instruments, ...parts }: EndpointParts,
) {
  const identify = (caller: Caller) =>
    'client' in caller
      ? { registrationId: caller.client.registration_id, clientId: caller.client.client_id }
      : { registrationId: caller.resourceServer.id, clientId: caller.resourceServer.client_id };
  const endpoint = introspectionEndpoint({
    authenticateCaller: instrumentedAuthentication(authenticateCaller(ports), {
      ...instruments,
      identify,
    }),
    activeToken: parts.activeToken,
    checkPresentedProof: checkPresentedProof({
      replay: ports.replay,
      nonces: parts.proofs.nonces,
      verify: parts.verifyPresentedProof,
    }),
  });
  return countRefusals(endpoint, refusals);
}

function revocation(
  { ports, refusals }: EndpointsOptions,
  { instrumented, clientAuthentication, verify }: EndpointParts,
) {
  return revocationEndpoint({
    ...ports,
    refusals,
    authenticateClient: instrumented(clientAuthentication('revocation')),
    verify,
  });
}
