import { randomInt } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { lastAnswers } from '../http/listener/drain.ts';
import { errorHandler } from '../http/listener/error-handler.ts';
import { listener } from '../http/listener/listener.ts';
import { boundHalfSentBodies } from '../http/load/half-sent-bodies.ts';
import { shedLoad } from '../http/load/load-shedding.ts';
import { rateLimits, type SharedCounters } from '../http/load/rate-limits.ts';
import { formBodies } from '../http/request/form-body.ts';
import { certificateSource, readAnchors } from '../http/request/forwarded-client-certificate.ts';
import { clientJwksRoute } from '../http/routes/client-jwks-route.ts';
import { allowCrossOrigin } from '../http/routes/cors.ts';
import { type HealthChecks, healthPaths, healthRoutes } from '../http/routes/health-routes.ts';
import { introspectionRoute } from '../http/routes/introspection-route.ts';
import { jwksRoute } from '../http/routes/jwks-route.ts';
import { metadataRoute } from '../http/routes/metadata-route.ts';
import { refuseOtherMethods } from '../http/routes/other-methods.ts';
import { revocationRoute } from '../http/routes/revocation-route.ts';
import { statusListRoute } from '../http/routes/status-list-route.ts';
import { tokenBodyLimit, tokenRoute } from '../http/routes/token-route.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { StatusListStore } from '../ports/status-list-store.ts';
import { endpointsOf, statusListUri } from '../protocol/metadata/endpoint-uris.ts';
import { serverMetadata } from '../protocol/metadata/server-metadata.ts';
import { dpopNonces, type NonceSecret, refusingSome } from '../protocol/possession/dpop-nonce.ts';
import { publishedLists } from '../protocol/status-list/published-lists.ts';
import { assembleEndpoints } from './endpoints.ts';

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

/** The public listener: how requests are read, and which routes exist. */
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
  const { basePath, jwksPaths } = endpoints;
  const metadataPaths = [endpoints.metadataPath, ...endpoints.openidMetadataPaths];
  const nonces = refusingSome(
    dpopNonces(nonceSecrets, config.dpopNonceLifetime, clock),
    config.dpopNonceRefusePercent,
    () => randomInt(100),
  );

  const app = listener(logger, ports.randomId, tokenBodyLimit);
  const shedding = shedLoad(app, config.maxConcurrentRequests, config.targetLatencyMs, logger);
  lastAnswers(app, stopping);
  boundHalfSentBodies(app);
  const countClient = await rateLimits(app, config, counters, [
    ...jwksPaths,
    ...metadataPaths,
    ...healthPaths,
  ]);
  const answer = assembleEndpoints({
    config,
    endpoints,
    ports,
    refusals,
    signingKeys,
    statusLists,
    nonces,
    countClient,
    logger,
  });

  app.decorate(
    'clientCertificateOf',
    certificateSource({
      ...(config.clientCertificateHeader !== undefined && {
        headerForm: config.clientCertificateHeader,
      }),
      trustedProxies: config.trustedProxies,
      clientCa: config.tlsClientCaFile === undefined ? [] : readAnchors(config.tlsClientCaFile),
      clock,
    }),
  );
  await formBodies(app, tokenBodyLimit);
  app.setErrorHandler(errorHandler(nonces.current));
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .header('cache-control', 'no-store')
      .send({ error: 'invalid_request', error_description: 'there is nothing at this path' }),
  );

  refuseOtherMethods(app, (reply) =>
    reply
      .code(405)
      .header('cache-control', 'no-store')
      .send({ error: 'invalid_request', error_description: 'method not allowed' }),
  );
  allowCrossOrigin(app);
  tokenRoute(app, `${basePath}/token`, answer.token);
  introspectionRoute(app, `${basePath}/introspect`, {
    issuer: config.issuer,
    clock,
    signingKey: signingKeys.current,
    answer: answer.introspection,
  });
  revocationRoute(app, `${basePath}/revoke`, answer.revocation);
  clientJwksRoute(app, `${basePath}/clients/:client_id/jwks`, ports.clients, config.jwksMaxAge);
  for (const path of jwksPaths) jwksRoute(app, path, signingKeys.publicJwks, config.jwksMaxAge);
  statusListRoute(
    app,
    `${basePath}/status-lists/:id`,
    publishedLists({
      store: statusLists,
      clock,
      signingKey: signingKeys.current,
      uriOf: statusListUri(endpoints),
      maxAge: config.statusListMaxAge,
    }),
  );
  const metadata = serverMetadata(config, endpoints);
  for (const path of metadataPaths) metadataRoute(app, path, metadata);
  healthRoutes(app, { ...health, requests: shedding.check }, stopping);
  return app;
}
