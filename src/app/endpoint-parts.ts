import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { AuthenticatedClient } from '../domain/client-registration.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { ObserveStep } from '../observability/observed-steps.ts';
import type { Measurements } from '../ports/measurements.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { StatusListStore } from '../ports/status-list-store.ts';
import { activeHolders } from '../protocol/access-token/active-holders.ts';
import { tokenStatus } from '../protocol/access-token/token-status.ts';
import { verifyAccessToken } from '../protocol/access-token/verify-access-token.ts';
import { authenticateClient } from '../protocol/client-authentication/authenticate-client.ts';
import type { RequestWithCredentials } from '../protocol/client-authentication/credentials.ts';
import {
  type CountClient,
  countRefusals,
  instrumentedAuthentication,
} from '../protocol/client-authentication/instrumented-authentication.ts';
import { privateKeyJwt } from '../protocol/client-authentication/private-key-jwt.ts';
import { tlsClientAuth } from '../protocol/client-authentication/tls-client-auth.ts';
import { workloadAuthentication } from '../protocol/client-authentication/workload.ts';
import { registeredKeys } from '../protocol/client-keys/registered-keys.ts';
import { activeToken } from '../protocol/introspection/active-token.ts';
import { findPresenter } from '../protocol/introspection/find-presenter.ts';
import { verifyPresentedProof } from '../protocol/introspection/verify-presented-proof.ts';
import type { Endpoints } from '../protocol/metadata/endpoint-uris.ts';
import type { DpopNonces } from '../protocol/possession/dpop-nonce.ts';
import { trustParts } from './trust-parts.ts';

/** Configuration, stores and keys of the endpoints. */
export interface EndpointsOptions {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly ports: Ports;
  readonly refusals: Refusals;
  readonly signingKeys: SigningKeys;
  readonly statusLists: StatusListStore;
  readonly nonces: DpopNonces;
  /** Absent: clients are not limited. */
  readonly countClient: CountClient | undefined;
  readonly measured: Pick<Measurements, 'proofOffset'>;
  readonly observeStep: ObserveStep;
  readonly logger: Logger;
}

export type EndpointPartsOptions = Omit<EndpointsOptions, 'observeStep' | 'statusLists'>;

/** Creates the parts that several endpoints share. */
export function endpointParts({
  config,
  endpoints,
  ports,
  refusals,
  signingKeys,
  ...more
}: EndpointPartsOptions) {
  const { clock, noteUse, wasUsed } = ports;
  const { nonces, countClient } = more;
  const keys = registeredKeys(ports.remoteJwkSets);
  const instruments = { noteUse, wasUsed, countClient };
  const trust = trustParts(config, ports, refusals);
  const clientAuthentication = (endpoint: 'token' | 'revocation') =>
    authenticateClient({
      ...ports,
      workloads: workloadAuthentication({ ...ports, ...trust }),
      keysAreProven: endpoint === 'token',
      tlsClientAuth: tlsClientAuth(keys),
      privateKeyJwt: privateKeyJwt({
        clock,
        keys,
        issuer: config.issuer,
        endpoints: [endpoints[endpoint], endpoints.mtls?.[endpoint]].filter(
          (uri) => uri !== undefined,
        ),
        algs: config.assertionAlgs,
        maxLifetime: config.assertionMaxLifetime,
        clockTolerance: config.clockTolerance,
      }),
    });
  const identify = ({ registration }: AuthenticatedClient) => ({
    registrationId: registration.registration_id,
    clientId: registration.client_id,
  });
  const proofs = {
    clock,
    nonces,
    algs: config.dpopAlgs,
    maxAge: config.dpopProofMaxAge,
    maxFuture: config.dpopProofMaxFuture,
    noteOffset: more.measured.proofOffset,
  };
  const judging = {
    verify: verifyAccessToken({ ...config, verificationKey: signingKeys.verificationKey }),
    activeHolders: activeHolders({ ...ports, keys }),
    tokenStatus: tokenStatus({ ...ports, keys }),
  };
  return {
    keys,
    ...trust,
    instruments,
    clientAuthentication,
    instrumented: <Request extends RequestWithCredentials>(
      authenticate: (request: Request) => Promise<AuthenticatedClient>,
    ) =>
      countRefusals(
        instrumentedAuthentication(authenticate, { ...instruments, identify }),
        refusals,
      ),
    proofs,
    ...judging,
    activeToken: activeToken({ clock, ...judging }),
    verifyPresentedProof: verifyPresentedProof({
      ...proofs,
      nonceRequired: config.dpopNonceRequired,
      findPresenter: findPresenter({ ...ports, issuer: config.issuer }),
    }),
  };
}

/** The parts that the endpoints share. */
export type EndpointParts = ReturnType<typeof endpointParts>;
