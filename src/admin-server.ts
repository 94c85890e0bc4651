import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { checkClient } from './admin/client-registration-request.ts';
import { refusingOtherMethods } from './admin/other-methods.ts';
import { type PairingRegistry, pairingRoutes } from './admin/pairings.ts';
import { Problem, problemHandler } from './admin/problem.ts';
import type { ClientRegistry, ResourceServerRegistry } from './admin/registry.ts';
import { restResource } from './admin/resource.ts';
import { type ClientBody, clientBody, type ResourceServerBody, resourceServerBody } from './admin/schemas.ts';
import { headerFields } from './http/header-fields.ts';
import { listener } from './http/listener.ts';
import type { AccessTokenSigningAlgorithm } from './jose/algorithms.ts';
import type { ClientRegistrations, Clock, RandomId } from './ports.ts';
import type { ResourceServer } from './resource-server.ts';

/** What the admin listener stands on. */
export interface AdminServerOptions {
  readonly clients: ClientRegistry;
  readonly resourceServers: ResourceServerRegistry;
  /** Clients as the protocol reads them. */
  readonly clientRegistrations: ClientRegistrations;
  readonly pairings: PairingRegistry;
  readonly clock: Clock;
  readonly randomId: RandomId;
  readonly verifyAdminToken: (presented: string) => boolean;
  /** Awaited before a resource server is stored, so that the JWKS has its key before the first token. */
  readonly ensureSigningKey: (alg: AccessTokenSigningAlgorithm) => Promise<void>;
  readonly maxAccessTokenLifetime: number;
  readonly logger: Logger;
}

/** The admin listener: every path, the unknown ones too, needs the admin token. */
export async function adminServer(options: AdminServerOptions): Promise<FastifyInstance> {
  const { clients, resourceServers, clock, randomId, verifyAdminToken, logger } = options;
  const app = listener(logger, randomId, 262_144);
  app.setErrorHandler(problemHandler);
  app.setNotFoundHandler((request, reply) => problemHandler(new Problem(404, 'there is nothing at this path'), request, reply));
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    const [field, ...more] = headerFields(request.raw, 'authorization');
    const [, token] = /^bearer +(\S+)$/i.exec(field ?? '') ?? [];
    if (token === undefined || more.length > 0 || !verifyAdminToken(token)) throw new Problem(401, 'the admin token is required');
  });
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser('application/merge-patch+json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast admin API', version: '0.1.0' },
      components: { securitySchemes: { admin_token: { type: 'http', scheme: 'bearer' } } },
      security: [{ admin_token: [] }],
    },
  });
  const refuseOtherMethods = refusingOtherMethods(app);
  app.get('/admin/openapi.json', () => app.swagger());

  restResource<Parameters<ClientRegistry['create']>[0], ClientBody>(app, {
    path: '/admin/clients',
    nameParameter: 'client_name',
    schema: clientBody,
    registry: clients,
    clock,
    idOf: ({ client_id }) => client_id,
    read: async (body, stored) => {
      if (stored !== undefined && body.client_id !== undefined && body.client_id !== stored.client_id)
        throw new Problem(400, 'client_id cannot be changed', 'client_id');
      const { client, clientSecret } = checkClient(
        body,
        stored?.client_id ?? body.client_id ?? randomId(),
        stored?.clientSecrets ?? [],
        Math.floor(clock() / 1000),
      );
      return { value: client, ...(clientSecret !== undefined && { once: { client_secret: clientSecret, client_secret_expires_at: 0 } }) };
    },
    show: ({ value: { clientSecrets: _, ...client }, createdAt }) => ({ ...client, client_id_issued_at: Math.floor(createdAt / 1000) }),
    toBody: ({ clientSecrets: _, ...client }) => client,
  });
  restResource<ResourceServer, ResourceServerBody>(app, {
    path: '/admin/resource-servers',
    nameParameter: 'name',
    schema: resourceServerBody,
    registry: resourceServers,
    clock,
    idOf: ({ id }) => id,
    read: async (body, stored) => {
      if (stored !== undefined && body.audience !== stored.audience)
        throw new Problem(400, 'audience cannot be changed, for tokens name it', 'audience');
      if ((body.access_token_lifetime ?? 0) > options.maxAccessTokenLifetime)
        throw new Problem(400, 'access_token_lifetime is above the maximum', 'access_token_lifetime');
      const defaults = {
        scopes: [],
        cnf_methods_supported: ['jkt' as const],
        access_token_lifetime: 600,
        access_token_signing_alg: 'ES256' as const,
      };
      const value: ResourceServer = { ...defaults, ...body, id: stored?.id ?? randomId() };
      await options.ensureSigningKey(value.access_token_signing_alg);
      return { value };
    },
    show: ({ value }) => value,
    toBody: ({ id: _, ...body }) => body,
  });
  pairingRoutes(app, { pairings: options.pairings, clients: options.clientRegistrations, clock, randomId });
  refuseOtherMethods();
  return app;
}
