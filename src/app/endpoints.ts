import {
  authenticateCaller,
  type Caller,
} from '../protocol/client-authentication/authenticate-caller.ts';
import {
  countRefusals,
  instrumentedAuthentication,
} from '../protocol/client-authentication/instrumented-authentication.ts';
import { checkPresentedProof } from '../protocol/introspection/check-presented-proof.ts';
import { introspectionEndpoint } from '../protocol/introspection/introspection-endpoint.ts';
import { revocationEndpoint } from '../protocol/revocation/revocation-endpoint.ts';
import { type EndpointParts, type EndpointsOptions, endpointParts } from './endpoint-parts.ts';
import { assembleTokenEndpoint } from './token-endpoint-assembly.ts';

/**
 * Puts together the endpoints at which a client or a resource server authenticates, without their
 * transport: which authentication methods, grants, proofs and confirmations there are.
 */
export function assembleEndpoints(options: EndpointsOptions) {
  const parts = endpointParts(options);
  return {
    token: assembleTokenEndpoint(options, parts),
    introspection: introspection(options, parts),
    revocation: revocation(options, parts),
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
