import { METHODS } from 'node:http';
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HTTPMethods,
} from 'fastify';
import { OAuthError, refusalOf } from '../domain/oauth-error.ts';
import type { ResourceServer } from '../domain/resource-server.ts';
import type { ReadCertificate } from '../http/request/forwarded-client-certificate.ts';
import { headerFields } from '../http/request/header-fields.ts';
import type { ResourceServers } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import type { VerifyAccessToken } from '../protocol/access-token/verify-access-token.ts';
import type { AdmittedRequest } from '../protocol/gateway/admitted-request.ts';
import type { ForwardedRequest } from '../protocol/gateway/forwarded-request.ts';
import type { DpopNonces } from '../protocol/possession/dpop-nonce.ts';
import { identityFields, refusal } from './answers.ts';
import { authRequest, extAuthz, forwardAuth, type ReadQuestion } from './forms.ts';
import { gatewayTokens } from './gateway-token.ts';

/** What the gateway listener needs to answer. */
export interface GatewayRoutesOptions {
  /** The token that gateways send; undefined if anybody who can reach the listener may ask. */
  readonly gatewayToken: string | undefined;
  readonly resourceServers: Pick<ResourceServers, 'findByAudience' | 'findById'>;
  readonly check: (
    request: ForwardedRequest,
    resourceServer: ResourceServer,
  ) => Promise<AdmittedRequest>;
  readonly assertion: (admitted: AdmittedRequest) => Promise<string>;
  /** Identifies the client of a refused token, for the counts. */
  readonly verify: VerifyAccessToken;
  readonly certificateOf: ReadCertificate;
  readonly refusals: Pick<Refusals, 'ofStranger' | 'reported'>;
  readonly nonces: Pick<DpopNonces, 'current'>;
  /** Algorithms of DPoP proofs, for challenges. */
  readonly algs: readonly string[];
}

/** A gateway may forward any method, or use that of the original request. */
const methods = METHODS.filter((method) => method !== 'CONNECT') as HTTPMethods[];

/**
 * Mounts one path for each form in which gateways ask. Only a checked request, or a resource server
 * in `report`, leads to 200; everything else is refused.
 */
export function gatewayRoutes(app: FastifyInstance, options: GatewayRoutesOptions): void {
  const isGateway = gatewayTokens(options.gatewayToken);
  // A body comes from the client, and nothing here reads it.
  for (const method of methods)
    app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    if (!isGateway(headerFields(request.raw, 'holdfast-gateway-token')))
      throw new OAuthError('gateway_token_mismatch');
  });
  const mount = (url: string, read: ReadQuestion) =>
    app.route({
      method: methods,
      url,
      exposeHeadRoute: false,
      handler: async (request, reply) => answer(options, read, request, reply),
    });
  mount('/forward-auth', forwardAuth);
  mount('/auth-request', authRequest);
  mount('/ext-authz/:id/*', extAuthz);
  app.setErrorHandler(async (thrown: Partial<FastifyError>, request, reply) => {
    const isMalformed = thrown.statusCode !== undefined && thrown.statusCode < 500;
    return refuse(request, reply, isMalformed ? new OAuthError('request_malformed') : thrown);
  });
  app.setNotFoundHandler(async (request, reply) =>
    refuse(request, reply, new OAuthError('gateway_fields_invalid')),
  );

  async function refuse(request: FastifyRequest, reply: FastifyReply, thrown: unknown) {
    options.refusals.ofStranger(thrown);
    return sendRefusal(options, request, reply, thrown, { resourceServer: undefined, scopes: [] });
  }
}

async function answer(
  options: GatewayRoutesOptions,
  read: ReadQuestion,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request;
  const { wantsAssertion, readsCertificate, ...question } = read(raw);
  const resourceServer = await targetOf(options, question);
  const forwarded: ForwardedRequest = {
    ...question,
    authorization: headerFields(raw, 'authorization'),
    dpop: headerFields(raw, 'dpop'),
    certificate: () => (readsCertificate ? options.certificateOf(raw) : undefined),
  };
  try {
    const admitted = await options.check(forwarded, resourceServer);
    const assertion = wantsAssertion ? await options.assertion(admitted) : undefined;
    const { client_id, jti } = admitted.claims;
    request.logFields = { aud: resourceServer.audience, client_id, jti };
    return reply
      .code(200)
      .headers({
        ...identityFields(admitted),
        ...(assertion !== undefined && { 'Holdfast-Assertion': assertion }),
        ...(admitted.freshNonce !== undefined && { 'DPoP-Nonce': admitted.freshNonce }),
      })
      .send();
  } catch (fault) {
    const client = await clientOf(options, forwarded);
    const { audience: aud, gateway_mode } = resourceServer;
    request.logFields = { aud, ...(client !== undefined && { client_id: client }) };
    if (gateway_mode !== 'report') {
      options.refusals.ofStranger(fault, client);
      return sendRefusal(options, request, reply, fault, { resourceServer, ...question });
    }
    const { reason, code } = loggedRefusal(request, fault);
    options.refusals.reported(reason, aud, client);
    request.logFields = { ...request.logFields, would_refuse: reason };
    // Without the nonce, a client could not adapt before the mode changes.
    if (code === 'use_dpop_nonce') void reply.header('DPoP-Nonce', options.nonces.current());
    return reply.code(200).header('Holdfast-Would-Refuse', reason).send();
  }
}

/** The resource server that the gateway's configuration names. Throws OAuthError. */
async function targetOf(
  { resourceServers }: GatewayRoutesOptions,
  { target }: Pick<ForwardedRequest, 'target'>,
): Promise<ResourceServer> {
  const found = await ('id' in target
    ? resourceServers.findById(target.id)
    : resourceServers.findByAudience(target.audience));
  if (found === undefined) throw new OAuthError('gateway_audience_unknown');
  if (found.origins === undefined) throw new OAuthError('gateway_origins_missing');
  return found;
}

/** The client of the token, if this server issued it, whatever its state. */
async function clientOf(
  { verify }: GatewayRoutesOptions,
  { authorization }: ForwardedRequest,
): Promise<string | undefined> {
  const token = /^\S+ +(\S+)$/.exec(authorization[0] ?? '')?.[1];
  if (token === undefined) return undefined;
  return verify(token).then(
    (claims) => claims?.client_id,
    () => undefined,
  );
}

async function sendRefusal(
  { algs, nonces }: GatewayRoutesOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  known: {
    readonly resourceServer: ResourceServer | undefined;
    readonly scopes: readonly string[];
  },
): Promise<FastifyReply> {
  const error = loggedRefusal(request, thrown);
  const { status, fields, body } = refusal(error, { ...known, algs }, nonces.current);
  request.logFields = { ...request.logFields, error: error.code, reason: error.reason };
  return reply.code(status).headers(fields).send(body);
}

/** The refusal that was thrown; a defect or an outage is logged in full. */
function loggedRefusal(request: FastifyRequest, thrown: unknown): OAuthError {
  const error = refusalOf(thrown) ?? new OAuthError('server_error');
  if (error.status >= 500)
    request.log.error({ reqId: request.id, err: thrown, reason: error.reason }, 'request failed');
  return error;
}
