import type { FastifyInstance } from 'fastify';
import { isReservedAudience } from '../domain/admin-access.ts';
import type { Clock } from '../domain/clock.ts';
import type { ResourceServer } from '../domain/resource-server.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import type { RandomId } from '../ports/ports.ts';
import type { ClientRegistry, ResourceServerRegistry } from '../ports/registry.ts';
import { changedMembers } from './changed-members.ts';
import { checkJwks } from './check-jwks.ts';
import { generateClientSecret, storedSecret } from './client-secrets.ts';
import { clientsWithoutToken, clientsWithoutTokenAnswer } from './clients-without-token.ts';
import { parameterExamples } from './examples.ts';
import { mountRestResource } from './mount-rest-resource.ts';
import { checkAll, Problem, refuseIf } from './problem.ts';
import type { RestResource } from './rest-resource.ts';
import { answerBody, patchOf } from './schema-parts.ts';
import {
  changedResourceServerMembers,
  type ResourceServerBody,
  resourceServerAnswer,
  resourceServerBody,
} from './schemas.ts';
import { secretRoutes } from './secrets.ts';

type Resource = RestResource<ResourceServer, ResourceServerBody>;

const resourceServerPatch = patchOf(resourceServerBody);
const changedResourceServerAnswer = answerBody('ChangedResourceServer', {
  ...changedResourceServerMembers,
  ...clientsWithoutTokenAnswer,
});
/** The schemas of resource servers that the OpenAPI document names. */
export const resourceServerSchemas = [
  resourceServerBody,
  resourceServerPatch,
  resourceServerAnswer,
  changedResourceServerAnswer,
];

export interface ResourceServerRoutesOptions {
  readonly resourceServers: ResourceServerRegistry;
  readonly clients: Pick<ClientRegistry, 'listIntact'>;
  readonly issuer: string;
  readonly credentialUses: CredentialUseLog;
  readonly clock: Clock;
  readonly randomId: RandomId;
  /** Creates the signing key first, so that the JWK Set has it before any token. */
  readonly ensureSigningKey: (alg: AccessTokenSigningAlgorithm) => Promise<void>;
  readonly maxAccessTokenLifetime: number;
}

/** Refuses a confirmation method that could never be used. */
function checkConfirmation({
  cnf_methods_supported = [],
  jwks,
  symmetric_keys_enabled = false,
}: ResourceServerBody): void {
  if (jwks !== undefined) checkJwks(jwks.keys, { onlyEncryption: true });
  if (!cnf_methods_supported.includes('jwe')) return;
  if (!symmetric_keys_enabled)
    throw new Problem(
      400,
      'the confirmation method jwe has to be switched on with symmetric_keys_enabled',
      'symmetric_keys_enabled',
    );
  if (jwks === undefined)
    throw new Problem(400, 'the confirmation method jwe needs a key to encrypt to', 'jwks');
}

/** Refuses origins that no forwarded request can have, such as one that names port 443. */
function checkOrigins({ origins = [] }: ResourceServerBody): void {
  if (!origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin))
    throw new Problem(
      400,
      'each origin is scheme, host in lower case, and a port where it is not the default one',
      'origins',
    );
}

const defaults = {
  scopes: [],
  cnf_methods_supported: ['jkt' as const],
  access_token_lifetime: 600,
  access_token_signing_alg: 'ES256' as const,
};

/** Resource servers as a REST resource. */
export function resourceServerResource(options: ResourceServerRoutesOptions): Resource {
  const { resourceServers: registry, clients, issuer, clock } = options;
  return {
    path: '/admin/resource-servers',
    noun: 'ResourceServer',
    registry,
    clock,
    tag: 'Resource servers',
    exampleId: parameterExamples.resourceServer,
    nameParameter: 'name',
    schema: resourceServerBody,
    patch: resourceServerPatch,
    answers: { shown: resourceServerAnswer, changed: changedResourceServerAnswer },
    idOf: ({ id }) => id,
    read: readBody(options),
    show: ({ value: { clientSecrets: _, ...shown } }) => shown,
    consequences: async (value) => clientsWithoutToken(value, clients, issuer),
    toBody: ({ id: _, client_id: __, clientSecrets: ___, ...body }) => body,
    recordOf: (what, id, value, previous) => ({
      event: {
        type: `resource_server_${what}`,
        actor: 'admin',
        ...(value !== undefined && { audience: value.audience }),
        detail: { id, ...(what === 'changed' && { members: changedMembers(previous, value) }) },
      },
    }),
  };
}

/** Mounts `/admin/resource-servers`; each gets credentials for the introspection endpoint. */
export function resourceServerRoutes(
  app: FastifyInstance,
  options: ResourceServerRoutesOptions,
): void {
  mountRestResource(app, resourceServerResource(options));
  secretRoutes<ResourceServer>(app, {
    path: '/admin/resource-servers',
    noun: 'ResourceServer',
    registry: options.resourceServers,
    clock: options.clock,
    credentialUses: options.credentialUses,
    identityOf: ({ id }) => id,
    takesSecrets: () => true,
    eventOf: (what, { id, audience }, detail) => ({
      type: `resource_server_secret_${what}`,
      actor: 'admin',
      audience,
      detail: { ...detail, id },
    }),
  });
}

function readBody(options: ResourceServerRoutesOptions): Resource['read'] {
  const { clock, randomId, ensureSigningKey, maxAccessTokenLifetime } = options;
  return async ({ client_id: clientId, client_secret: given, ...body }, stored) => {
    if (isReservedAudience(body.audience))
      throw new Problem(400, 'an audience that begins with urn:holdfast: is reserved', 'audience');
    checkAll(
      refuseIf(
        stored !== undefined && body.audience !== stored.audience,
        'audience cannot be changed, for tokens name it',
        'audience',
      ),
      refuseIf(
        stored !== undefined && clientId !== undefined && clientId !== stored.client_id,
        'client_id cannot be changed',
        'client_id',
      ),
      refuseIf(
        (body.access_token_lifetime ?? 0) > maxAccessTokenLifetime,
        'access_token_lifetime is above the maximum',
        'access_token_lifetime',
      ),
      () => checkConfirmation(body),
      () => checkOrigins(body),
    );
    const secret = given ?? (stored === undefined ? generateClientSecret() : undefined);
    const value: ResourceServer = {
      ...defaults,
      ...body,
      id: stored?.id ?? randomId(),
      client_id: stored?.client_id ?? clientId ?? randomId(),
      clientSecrets:
        secret === undefined
          ? (stored?.clientSecrets ?? [])
          : [storedSecret(secret, Math.floor(clock() / 1000))],
    };
    await ensureSigningKey(value.access_token_signing_alg);
    return {
      value,
      ...(secret !== undefined && {
        once: { client_secret: secret, client_secret_expires_at: 0 },
      }),
    };
  };
}
