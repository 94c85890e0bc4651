import { activeToken } from './access-token/active-token.ts';
import { confirmingProof } from './access-token/confirming-proof.ts';
import { liveHolders } from './access-token/live-holders.ts';
import { presenterBy } from './access-token/presenter-by.ts';
import { tokenInForce } from './access-token/token-in-force.ts';
import { verifyAccessToken } from './access-token/verify-access-token.ts';
import { authenticateCaller, type Caller } from './client-authentication/authenticate-caller.ts';
import { authenticateClient } from './client-authentication/authenticate-client.ts';
import { type CountClient, counted } from './client-authentication/counted.ts';
import { countingStrangers } from './client-authentication/counting-strangers.ts';
import type { RequestWithCredentials } from './client-authentication/credentials.ts';
import { noted } from './client-authentication/noted.ts';
import { privateKeyJwt } from './client-authentication/private-key-jwt.ts';
import { requiringProof } from './client-authentication/requiring-proof.ts';
import { tlsClientAuth } from './client-authentication/tls-client-auth.ts';
import { unspentAssertion } from './client-authentication/unspent-assertion.ts';
import type { AuthenticatedClient } from './client-registration.ts';
import type { Config } from './config.ts';
import type { Endpoints } from './endpoints.ts';
import { introspectionEndpoint } from './introspection-endpoint.ts';
import type { Ports } from './ports.ts';
import type { DpopNonces } from './possession/dpop-nonce.ts';
import type { Refusals } from './refusals.ts';
import { registeredKeys } from './registered-keys.ts';
import { revocationEndpoint } from './revocation-endpoint.ts';
import type { SigningKeys } from './signing-keys/signing-keys.ts';
import type { StatusListStore } from './status-list/status-list-store.ts';
import { tokenEndpoint } from './token-endpoint.ts';
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
export function protocolEndpoints(options: ProtocolEndpointsOptions) {
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
  const live = liveHolders({ ...ports, keys });
  const inForce = tokenInForce({ ...ports, keys });
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
    activeToken: activeToken({ ...ports, verify, tokenInForce: inForce, liveHolders: live }),
    confirmingProof: confirmingProof({
      ...proofs,
      replay: ports.replay,
      nonceRequired: config.dpopNonceRequired,
      presenterBy: presenterBy({ ...ports, issuer }),
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
        tokenInForce: inForce,
        liveHolders: live,
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
