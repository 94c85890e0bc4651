import { randomInt } from 'node:crypto';
import formbody from '@fastify/formbody';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { activeToken } from './access-token/active-token.ts';
import { confirmingProof } from './access-token/confirming-proof.ts';
import { issueAccessToken } from './access-token/issue-access-token.ts';
import { liveHolders } from './access-token/live-holders.ts';
import { presenterBy } from './access-token/presenter-by.ts';
import { rememberProvenKeys } from './access-token/remember-proven-keys.ts';
import { tokenInForce } from './access-token/token-in-force.ts';
import { verifyAccessToken } from './access-token/verify-access-token.ts';
import { authenticateCaller, type Caller } from './client-authentication/authenticate-caller.ts';
import { authenticateClient } from './client-authentication/authenticate-client.ts';
import { counted } from './client-authentication/counted.ts';
import { countingStrangers } from './client-authentication/counting-strangers.ts';
import { noted } from './client-authentication/noted.ts';
import { privateKeyJwt } from './client-authentication/private-key-jwt.ts';
import { tlsClientAuth } from './client-authentication/tls-client-auth.ts';
import type { AuthenticatedClient } from './client-registration.ts';
import type { Config } from './config.ts';
import { bind } from './confirmation/binding.ts';
import { endpointsOf } from './endpoints.ts';
import { clientCredentials } from './grant/client-credentials.ts';
import { subjectAccessToken } from './grant/subject-access-token.ts';
import { subjectIdToken } from './grant/subject-id-token.ts';
import { tokenExchange } from './grant/token-exchange.ts';
import { validateGrant } from './grant/validate-grant.ts';
import { certificateSource, readAnchors } from './http/client-certificate.ts';
import { clientJwksRoute } from './http/client-jwks-route.ts';
import { errorHandler } from './http/error-handler.ts';
import { readForm } from './http/form.ts';
import { type HealthChecks, healthPaths, healthRoutes } from './http/health-routes.ts';
import { introspectionRoute } from './http/introspection-route.ts';
import { jwksRoute } from './http/jwks-route.ts';
import { listener } from './http/listener.ts';
import { metadataRoute } from './http/metadata-route.ts';
import { refuseOtherMethods } from './http/other-methods.ts';
import { refuseOverload } from './http/overload.ts';
import { rateLimits, type SharedCounters } from './http/rate-limits.ts';
import { revocationRoute } from './http/revocation-route.ts';
import { statusListRoute } from './http/status-list-route.ts';
import { tokenBodyLimit, tokenRoute } from './http/token-route.ts';
import { introspectionEndpoint } from './introspection-endpoint.ts';
import type { Ports } from './ports.ts';
import { dpop } from './possession/dpop.ts';
import { dpopNonces, type NonceSecret, refusingSome } from './possession/dpop-nonce.ts';
import { proveFurtherHolders } from './possession/prove-further-holders.ts';
import { provePossession } from './possession/prove-possession.ts';
import type { Refusals } from './refusals.ts';
import { registeredKeys } from './registered-keys.ts';
import { revocationEndpoint } from './revocation-endpoint.ts';
import { serverMetadata } from './server-metadata.ts';
import type { SigningKeys } from './signing-keys/signing-keys.ts';
import { publishedLists } from './status-list/published-lists.ts';
import { statusEntries } from './status-list/status-entries.ts';
import type { StatusListStore } from './status-list/status-list-store.ts';
import { tokenEndpoint } from './token-endpoint.ts';

/** What the public listener stands on. */
export interface AuthorizationServerOptions {
  readonly config: Config;
  readonly ports: Ports;
  readonly refusals: Refusals;
  readonly signingKeys: SigningKeys;
  readonly statusLists: StatusListStore;
  /** Secrets of the DPoP nonces, shared by all replicas. */
  readonly nonceSecrets: () => readonly NonceSecret[];
  readonly health: HealthChecks;
  readonly stopping: () => boolean;
  /** Where requests are counted for all replicas. */
  readonly counters?: SharedCounters;
  readonly logger: Logger;
}

/** The public listener: which methods, grants, proofs, confirmations and routes exist. */
export async function authorizationServer({
  config,
  ports,
  refusals,
  signingKeys,
  statusLists,
  nonceSecrets,
  health,
  stopping,
  counters,
  logger,
}: AuthorizationServerOptions): Promise<FastifyInstance> {
  const { clock } = ports;
  const endpoints = endpointsOf(config.issuer, config.tls?.port);
  const nonces = refusingSome(dpopNonces(nonceSecrets, config.dpopNonceLifetime, clock), config.dpopNonceRefusePercent, () => randomInt(100));
  const keys = registeredKeys(ports.fetchJwks);
  const statusListUri = (list: string) => `${endpoints.statusLists}/${list}`;
  const { basePath, metadataPath } = endpoints;

  const app = listener(logger, ports.randomId, tokenBodyLimit);
  refuseOverload(app, config.maxRequestsUnderWay, config.targetMsUnderWay, logger);
  const countClient = await rateLimits(app, config, counters, [`${basePath}/jwks`, metadataPath, ...healthPaths]);

  const clientIdOf = ({ registration }: AuthenticatedClient) => registration.client_id;
  const authentication = authenticateClient({
    clients: ports.clients,
    clock,
    tlsClientAuth: tlsClientAuth(keys),
    privateKeyJwt: privateKeyJwt({
      clock,
      keys,
      issuer: config.issuer,
      algs: config.assertionAlgs,
      maxLifetime: config.assertionMaxLifetime,
      clockTolerance: config.clockTolerance,
    }),
  });
  const authenticate = counted(noted(countingStrangers(authentication, refusals), ports.noteUse, clientIdOf), countClient, clientIdOf);
  const proofs = { clock, nonces, algs: config.dpopAlgs, maxAge: config.dpopProofMaxAge, maxFuture: config.dpopProofMaxFuture };
  const verify = verifyAccessToken({ issuer: config.issuer, verificationKey: signingKeys.verificationKey });
  const live = liveHolders({ ...ports, keys });
  const inForce = tokenInForce({ ...ports, keys });
  const answer = tokenEndpoint({
    refusals,
    authenticateClient: authenticate,
    validateGrant: validateGrant({
      client_credentials: clientCredentials(ports),
      'urn:ietf:params:oauth:grant-type:token-exchange': tokenExchange({
        ...ports,
        accessToken: subjectAccessToken({ ...ports, verifyAccessToken: verify, tokenInForce: inForce, liveHolders: live }),
        // RS256 besides: OpenID providers must offer it, and few sign by anything else.
        idToken: subjectIdToken({
          ...ports,
          keys,
          algs: [...config.assertionAlgs, 'RS256'],
          clockTolerance: config.clockTolerance,
          maxAge: config.idTokenMaxAge,
        }),
      }),
    }),
    provePossession: provePossession({
      dpop: dpop({ ...proofs, endpoint: endpoints.token, ...(endpoints.mtls !== undefined && { alias: endpoints.mtls.token }) }),
      clock,
      nonceRequired: config.dpopNonceRequired,
      registeredKey: async (client, kid) => (await keys.find(client, kid))[0],
    }),
    proveFurtherHolders: proveFurtherHolders({
      ...ports,
      keys,
      cnfProof: {
        clock,
        nonces,
        issuer: config.issuer,
        algs: config.dpopAlgs,
        maxLifetime: config.cnfProofMaxLifetime,
        clockTolerance: config.clockTolerance,
      },
      nonceRequired: config.dpopNonceRequired,
      max: config.altCnfMax,
      registeredKeyMaxAge: config.altCnfRegisteredKeyMaxAge,
    }),
    bind: bind({ issuer: config.issuer, clientEncryptionKey: keys.encryptionKey }),
    issueAccessToken: rememberProvenKeys(
      issueAccessToken({
        ...ports,
        issuer: config.issuer,
        signingKey: signingKeys.current,
        severalKeysMaxLifetime: config.altCnfMaxLifetime,
        statusEntry: statusEntries({ store: statusLists, clock, tokenLifetime: config.accessTokenMaxLifetime + config.clockTolerance }),
        statusListUri,
      }),
      ports,
    ),
  });

  const callerId = (caller: Caller) => ('client' in caller ? caller.client : caller.resourceServer).client_id;
  const introspection = introspectionEndpoint({
    authenticateCaller: counted(noted(authenticateCaller(ports), ports.noteUse, callerId), countClient, callerId),
    activeToken: activeToken({ ...ports, verify, tokenInForce: inForce, liveHolders: live }),
    confirmingProof: confirmingProof({
      ...proofs,
      replay: ports.replay,
      nonceRequired: config.dpopNonceRequired,
      presenterBy: presenterBy({ ...ports, issuer: config.issuer }),
    }),
  });
  const introspect = countingStrangers(introspection, refusals);
  const revoke = revocationEndpoint({ ...ports, refusals, authenticateClient: authenticate, verify });

  app.decorate(
    'clientCertificateOf',
    certificateSource({
      ...(config.clientCertificateHeader !== undefined && { headerForm: config.clientCertificateHeader }),
      trustedProxies: config.trustedProxies,
      clientCa: config.tlsClientCaFile === undefined ? [] : readAnchors(config.tlsClientCaFile),
      clock,
    }),
  );
  await app.register(formbody, { bodyLimit: tokenBodyLimit, parser: readForm as unknown as (body: string) => Record<string, unknown> });
  // Only the form encoding is spoken here; Fastify's own JSON and text parsers would let other bodies in.
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.setErrorHandler(errorHandler(nonces.current));
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).header('cache-control', 'no-store').send({ error: 'invalid_request', error_description: 'there is nothing at this path' }),
  );

  tokenRoute(app, `${basePath}/token`, answer);
  refuseOtherMethods(app, `${basePath}/token`, ['POST']);
  introspectionRoute(app, `${basePath}/introspect`, { issuer: config.issuer, clock, signingKey: signingKeys.current, answer: introspect });
  refuseOtherMethods(app, `${basePath}/introspect`, ['POST']);
  revocationRoute(app, `${basePath}/revoke`, revoke);
  refuseOtherMethods(app, `${basePath}/revoke`, ['POST']);
  clientJwksRoute(app, `${basePath}/clients/:client_id/jwks`, ports.clients, config.jwksMaxAge);
  refuseOtherMethods(app, `${basePath}/clients/:client_id/jwks`, ['GET', 'HEAD']);
  jwksRoute(app, `${basePath}/jwks`, signingKeys.publicJwks, config.jwksMaxAge);
  refuseOtherMethods(app, `${basePath}/jwks`, ['GET', 'HEAD']);
  statusListRoute(
    app,
    `${basePath}/status-lists/:id`,
    publishedLists({ store: statusLists, clock, signingKey: signingKeys.current, uriOf: statusListUri, maxAge: config.statusListMaxAge }),
  );
  refuseOtherMethods(app, `${basePath}/status-lists/:id`, ['GET', 'HEAD']);
  metadataRoute(app, metadataPath, serverMetadata(config, endpoints));
  refuseOtherMethods(app, metadataPath, ['GET', 'HEAD']);
  healthRoutes(app, health, stopping);
  return app;
}
