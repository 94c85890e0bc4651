import { randomInt } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
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
import { refuseContentCodings } from '../http/request/message-framing.ts';
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
import type { Metrics } from '../observability/metrics.ts';
import type { ObserveStep } from '../observability/observed-steps.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { StatusListStore } from '../ports/status-list-store.ts';
import type { Tracing } from '../ports/tracing.ts';
import { type Endpoints, endpointsOf, statusListUri } from '../protocol/metadata/endpoint-uris.ts';
import { serverMetadata } from '../protocol/metadata/server-metadata.ts';
import { dpopNonces, type NonceSecret, refusingSome } from '../protocol/possession/dpop-nonce.ts';
import { statusListTokens } from '../protocol/status-list/status-list-tokens.ts';
import { assembleEndpoints } from './endpoints.ts';

export interface AuthorizationServerOptions {
  readonly config: Config;
  readonly ports: Ports;
  readonly refusals: Refusals;
  readonly signingKeys: SigningKeys;
  readonly gatewayKeys: Pick<SigningKeys, 'publicJwks'>;
  readonly statusLists: StatusListStore;
  /** DPoP nonce secrets, shared by all replicas. */
  readonly nonceSecrets: () => readonly NonceSecret[];
  readonly health: HealthChecks;
  readonly stopping: () => boolean;
  /** Counts requests for all replicas. */
  readonly counters?: SharedCounters;
  readonly measured: Metrics;
  readonly observeStep: ObserveStep;
  readonly tracing: Tracing | undefined;
  readonly logger: Logger;
}

/** Creates the public listener: how requests are read, and which routes exist. */
export async function authorizationServer(
  options: AuthorizationServerOptions,
): Promise<FastifyInstance> {
  const { config, ports, nonceSecrets, health, stopping, counters, measured, logger } = options;
  const endpoints = endpointsOf(config.issuer, config.tls?.port);
  const metadataPaths = [endpoints.metadataPath, ...endpoints.openidMetadataPaths];
  const nonces = refusingSome(
    dpopNonces(nonceSecrets, config.dpopNonceLifetime, ports.clock),
    config.dpopNonceRefusePercent,
    () => randomInt(100),
  );

  const app = listener(logger, ports.randomId, tokenBodyLimit, options);
  refuseContentCodings(app);
  const { maxConcurrentRequests: most, targetLatencyMs: target } = config;
  const load = shedLoad(app, most, target, logger, undefined, measured);
  measured.places(load.places);
  if (options.tracing !== undefined) workWithinSpans(app);
  lastAnswers(app, stopping);
  boundHalfSentBodies(app);
  const countClient = await rateLimits(app, config, counters, [
    ...endpoints.jwksPaths,
    endpoints.gatewayJwksPath,
    ...metadataPaths,
    ...healthPaths,
  ]);
  const answer = assembleEndpoints({ ...options, endpoints, nonces, countClient });

  app.decorate('clientCertificateOf', clientCertificates(options));
  await formBodies(app, tokenBodyLimit);
  app.setErrorHandler(errorHandler(nonces.current));
  app.setNotFoundHandler((_request, reply) => refuse(reply, 404, 'there is nothing at this path'));
  refuseOtherMethods(app, (reply) => refuse(reply, 405, 'method not allowed'));
  allowCrossOrigin(app);
  authenticatedRoutes(app, options, endpoints, answer);
  verificationRoutes(app, options, endpoints);
  const metadata = serverMetadata(config, endpoints);
  for (const path of metadataPaths) metadataRoute(app, path, metadata);
  healthRoutes(app, { ...health, requests: load.check }, stopping);
  return app;
}

/** Restores a request's span after the body is read, where the async context is lost. */
function workWithinSpans(app: FastifyInstance): void {
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.span === undefined) done();
    else request.span.within(done);
  });
}

function clientCertificates({ config, ports }: AuthorizationServerOptions) {
  const { clientCertificateHeader: headerForm, trustedProxies, tlsClientCaFile } = config;
  return certificateSource({
    ...(headerForm !== undefined && { headerForm }),
    trustedProxies,
    clientCa: tlsClientCaFile === undefined ? [] : readAnchors(tlsClientCaFile),
    clock: ports.clock,
  });
}

function refuse(reply: FastifyReply, status: 404 | 405, description: string): FastifyReply {
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .send({ error: 'invalid_request', error_description: description });
}

/** The endpoints at which a client or a resource server authenticates. */
function authenticatedRoutes(
  app: FastifyInstance,
  { config, ports, signingKeys }: AuthorizationServerOptions,
  { basePath }: Endpoints,
  answer: ReturnType<typeof assembleEndpoints>,
): void {
  tokenRoute(app, `${basePath}/token`, answer.token);
  introspectionRoute(app, `${basePath}/introspect`, {
    issuer: config.issuer,
    clock: ports.clock,
    signingKey: signingKeys.current,
    answer: answer.introspection,
  });
  revocationRoute(app, `${basePath}/revoke`, answer.revocation);
}

/** Mounts public routes for verifying tokens: keys and status lists. */
function verificationRoutes(
  app: FastifyInstance,
  { config, ports, signingKeys, gatewayKeys, statusLists }: AuthorizationServerOptions,
  endpoints: Endpoints,
): void {
  const { basePath, jwksPaths, gatewayJwksPath } = endpoints;
  clientJwksRoute(app, `${basePath}/clients/:client_id/jwks`, ports.clients, config.jwksMaxAge);
  for (const path of jwksPaths) jwksRoute(app, path, signingKeys.publicJwks, config.jwksMaxAge);
  jwksRoute(app, gatewayJwksPath, gatewayKeys.publicJwks, config.jwksMaxAge);
  const lists = statusListTokens({
    store: statusLists,
    clock: ports.clock,
    signingKey: signingKeys.current,
    uriOf: statusListUri(endpoints),
    maxAge: config.statusListMaxAge,
  });
  statusListRoute(app, `${basePath}/status-lists/:id`, lists);
}
