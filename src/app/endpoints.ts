import type { Config } from '../config/config.ts';
import type { AuthenticatedClient } from '../domain/client-registration.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { StatusListStore } from '../ports/status-list-store.ts';
import { activeHolders } from '../protocol/access-token/active-holders.ts';
import { tokenStatus } from '../protocol/access-token/token-status.ts';
import { verifyAccessToken } from '../protocol/access-token/verify-access-token.ts';
import {
  authenticateCaller,
  type Caller,
} from '../protocol/client-authentication/authenticate-caller.ts';
import { authenticateClient } from '../protocol/client-authentication/authenticate-client.ts';
import { type CountClient, counted } from '../protocol/client-authentication/counted.ts';
import { countingStrangers } from '../protocol/client-authentication/counting-strangers.ts';
import type { RequestWithCredentials } from '../protocol/client-authentication/credentials.ts';
import { noted } from '../protocol/client-authentication/noted.ts';
import { privateKeyJwt } from '../protocol/client-authentication/private-key-jwt.ts';
import { requiringProof } from '../protocol/client-authentication/requiring-proof.ts';
import { tlsClientAuth } from '../protocol/client-authentication/tls-client-auth.ts';
import { unspentAssertion } from '../protocol/client-authentication/unspent-assertion.ts';
import { registeredKeys } from '../protocol/client-keys/registered-keys.ts';
import { activeToken } from '../protocol/introspection/active-token.ts';
import { checkPresentedProof } from '../protocol/introspection/check-presented-proof.ts';
import { findPresenter } from '../protocol/introspection/find-presenter.ts';
import { introspectionEndpoint } from '../protocol/introspection/introspection-endpoint.ts';
import type { Endpoints } from '../protocol/metadata/endpoint-uris.ts';
import type { DpopNonces } from '../protocol/possession/dpop-nonce.ts';
import { revocationEndpoint } from '../protocol/revocation/revocation-endpoint.ts';
import { tokenEndpoint } from '../protocol/token/token-endpoint.ts';
import { tokenSteps } from './token-steps.ts';

/** What the endpoints stand on. */
export interface ProtocolEndpointsOptions {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly ports: Ports;
  readonly refusals: Refusals;
  readonly signingKeys: SigningKeys;
  readonly statusLists: StatusListStore;
  readonly nonces: DpopNonces;
  /** Absent where clients may ask as often as they like. */
  readonly countClient: CountClient | undefined;
}

/** The endpoints that a client or a resource server authenticates at, without their transport: token, introspection and revocation. */
export function assembleEndpoints(options: ProtocolEndpointsOptions) {
  const { config, endpoints, ports, refusals, signingKeys, nonces, countClient } = options;
  const { issuer } = config;
  const { clock } = ports;
  const keys = registeredKeys(ports.remoteJwkSets);
  const proofs = {
    clock,
    nonces,
    algs: config.dpopAlgs,
    maxAge: config.dpopProofMaxAge,
    maxFuture: config.dpopProofMaxFuture,
  };
  const verify = verifyAccessToken({ issuer, verificationKey: signingKeys.verificationKey });
  const live = activeHolders({ ...ports, keys });
  const inForce = tokenStatus({ ...ports, keys });
  const clientIdOf = ({ registration }: AuthenticatedClient) => registration.client_id;
  const identityOf = ({ registration }: AuthenticatedClient) => registration.registration_id;
  const callerIdentity = (caller: Caller) =>
    'client' in caller ? caller.client.registration_id : caller.resourceServer.id;
  const callerId = (caller: Caller) =>
    ('client' in caller ? caller.client : caller.resourceServer).client_id;
  const authenticationAt = (endpoint: 'token' | 'revocation') =>
    authenticateClient({
      clients: ports.clients,
      currentClients: ports.currentClients,
      clock,
      tlsClientAuth: tlsClientAuth(keys),
      privateKeyJwt: privateKeyJwt({
        clock,
        keys,
        issuer,
        endpoints: [endpoints[endpoint], endpoints.mtls?.[endpoint]].filter(
          (uri) => uri !== undefined,
        ),
        algs: config.assertionAlgs,
        maxLifetime: config.assertionMaxLifetime,
        clockTolerance: config.clockTolerance,
      }),
    });
  // A read more only where clients are limited.
  const unspent = <Request>(authenticate: (request: Request) => Promise<AuthenticatedClient>) =>
    countClient === undefined ? authenticate : unspentAssertion(authenticate, ports.wasUsed);
  const watched = <Request extends RequestWithCredentials>(
    authenticate: (request: Request) => Promise<AuthenticatedClient>,
  ) =>
    counted(
      noted(countingStrangers(unspent(authenticate), refusals), ports.noteUse, identityOf),
      countClient,
      clientIdOf,
    );
  const introspection = introspectionEndpoint({
    authenticateCaller: counted(
      noted(authenticateCaller(ports), ports.noteUse, callerIdentity),
      countClient,
      callerId,
    ),
    activeToken: activeToken({ ...ports, verify, tokenStatus: inForce, activeHolders: live }),
    checkPresentedProof: checkPresentedProof({
      ...proofs,
      replay: ports.replay,
      nonceRequired: config.dpopNonceRequired,
      findPresenter: findPresenter({ ...ports, issuer }),
    }),
  });
  return {
    token: tokenEndpoint({
      refusals,
      authenticateClient: watched(requiringProof(authenticationAt('token'))),
      ...tokenSteps({
        ...options,
        keys,
        proofs,
        verifyAccessToken: verify,
        tokenStatus: inForce,
        activeHolders: live,
      }),
    }),
    introspection: countingStrangers(introspection, refusals),
    revocation: revocationEndpoint({
      ...ports,
      refusals,
      authenticateClient: watched(authenticationAt('revocation')),
      verify,
    }),
  };
}
