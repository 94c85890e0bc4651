import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from '../config/gateway-config.ts';
import { gatewayRoutes } from '../gateway/gateway-routes.ts';
import { lastAnswers } from '../http/listener/drain.ts';
import { listener } from '../http/listener/listener.ts';
import { shedLoad } from '../http/load/load-shedding.ts';
import { certificateSource } from '../http/request/forwarded-client-certificate.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Measurements } from '../ports/measurements.ts';
import type { Tracing } from '../ports/tracing.ts';
import { checkForwardedRequest } from '../protocol/gateway/check-forwarded-request.ts';
import { forwardedRequestAssertion } from '../protocol/gateway/forwarded-request-assertion.ts';
import { endpointsOf } from '../protocol/metadata/endpoint-uris.ts';
import { dpopNonces, type NonceSecret } from '../protocol/possession/dpop-nonce.ts';
import { type EndpointPartsOptions, endpointParts } from './endpoint-parts.ts';

export interface GatewayServerOptions
  extends Omit<EndpointPartsOptions, 'endpoints' | 'nonces' | 'countClient'> {
  readonly gateway: GatewayConfig;
  readonly gatewayKeys: Pick<SigningKeys, 'current'>;
  /** DPoP nonce secrets, shared by all replicas. */
  readonly nonceSecrets: () => readonly NonceSecret[];
  readonly measured: Pick<Measurements, 'request' | 'shed' | 'proofOffset'>;
  readonly tracing: Tracing | undefined;
  readonly stopping: () => boolean;
}

/** Creates the listener for gateways: what it reads of a request, and how it checks it. */
export function gatewayServer(options: GatewayServerOptions): FastifyInstance {
  const { config, ports, refusals, gateway, gatewayKeys, measured, logger } = options;
  const endpoints = endpointsOf(config.issuer);
  const nonces = dpopNonces(options.nonceSecrets, config.dpopNonceLifetime, ports.clock);
  const parts = endpointParts({ ...options, endpoints, nonces, countClient: undefined });
  const { clientCertificateHeader: headerForm } = config;

  const app = listener(logger, ports.randomId, 1, options);
  const anyMethod = () => true;
  const { maxConcurrentRequests: most, targetLatencyMs: target } = config;
  shedLoad(app, most, target, logger, undefined, measured, anyMethod);
  lastAnswers(app, options.stopping);
  gatewayRoutes(app, {
    ...parts,
    gatewayToken: gateway.token,
    resourceServers: ports.resourceServers,
    check: checkForwardedRequest({ ...parts, replay: ports.replay }),
    assertion: forwardedRequestAssertion({
      gatewayIssuer: endpoints.gatewayIssuer,
      signingKey: gatewayKeys.current,
      clock: ports.clock,
    }),
    certificateOf: certificateSource({
      ...(headerForm !== undefined && { headerForm }),
      // Every permitted caller is a gateway and vouches for this field.
      trustedProxies: 'all',
      clientCa: [],
      clock: ports.clock,
    }),
    refusals,
    nonces,
    algs: config.dpopAlgs,
  });
  return app;
}
