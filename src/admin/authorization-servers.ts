import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuthorizationServer, ClientElsewhere } from '../domain/authorization-server.ts';
import type { Clock } from '../domain/clock.ts';
import {
  type AccessTokenSigningAlgorithm,
  accessTokenSigningAlgorithms,
} from '../jose/algorithms.ts';
import type { RandomId } from '../ports/ports.ts';
import type { Registry } from '../ports/registry.ts';
import { parameterExamples } from './examples.ts';
import { mountRestResource } from './mount-rest-resource.ts';
import { pattern } from './patterns.ts';
import { Problem } from './problem.ts';
import { type RestResource, recordedById } from './rest-resource.ts';
import {
  answerBody,
  listOf,
  managedBy,
  oneOf,
  patchOf,
  requestBody,
  text,
} from './schema-parts.ts';

const clientId = text({ pattern: pattern('printable'), maxLength: 255 });

/** Members of another authorization server. */
export const authorizationServerBody = requestBody('AuthorizationServerBody', {
  issuer: text({
    pattern: pattern('httpsUrl'),
    maxLength: 2048,
    description: 'Its issuer identifier, the `aud` of the grants.',
  }),
  clients: Type.Unsafe<readonly ClientElsewhere[]>(
    Type.Array(
      Type.Object(
        { client_id: clientId, remote_client_id: clientId },
        { additionalProperties: false },
      ),
      {
        minItems: 1,
        maxItems: 1000,
        description: 'Clients that may ask for grants, each with its client_id there.',
      },
    ),
  ),
  scope: Type.Optional(
    text({
      pattern: pattern('scope'),
      maxLength: 2048,
      description: 'Maximum scope of a grant. Absent: none.',
    }),
  ),
  resources: Type.Optional(
    listOf(text({ pattern: pattern('resource'), maxLength: 512 }), {
      minItems: 1,
      description: 'Resources that a grant may name. Absent: any.',
    }),
  ),
  signing_alg: Type.Optional(
    oneOf(accessTokenSigningAlgorithms, { description: 'Absent: ES256.' }),
  ),
});
export type AuthorizationServerBody = Type.Static<typeof authorizationServerBody>;
const patch = patchOf(authorizationServerBody);
const shown = answerBody('AuthorizationServer', {
  ...authorizationServerBody.properties,
  id: Type.String(),
  managed_by: managedBy,
});

/** The schemas of other authorization servers that the OpenAPI document names. */
export const authorizationServerSchemas = [authorizationServerBody, patch, shown];

export interface AuthorizationServerRoutesOptions {
  /** Issuer identifier of this server. */
  readonly issuer: string;
  readonly authorizationServers: Registry<AuthorizationServer>;
  readonly ensureSigningKey: (alg: AccessTokenSigningAlgorithm) => Promise<void>;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** Other authorization servers as a REST resource. */
export function authorizationServerResource(
  options: AuthorizationServerRoutesOptions,
): RestResource<AuthorizationServer, AuthorizationServerBody> {
  const { authorizationServers: registry, clock, randomId } = options;
  return {
    path: '/admin/authorization-servers',
    noun: 'AuthorizationServer',
    tag: 'Authorization servers',
    exampleId: parameterExamples.authorizationServer,
    about: {
      create: 'Lets clients obtain identity assertion grants for another authorization server.',
      replace: 'Replaces all members; a listed client stays the same registration.',
      delete: 'No more grants are issued for it; existing ones expire within five minutes.',
    },
    schema: authorizationServerBody,
    patch,
    answers: { shown, changed: shown },
    registry,
    clock,
    idOf: ({ id }) => id,
    async read(given, stored) {
      const value = checked(given, stored, options.issuer, randomId);
      await options.ensureSigningKey(value.signing_alg);
      return { value };
    },
    show: ({ value: { listed: _, ...members } }) => members,
    toBody: ({ id: _, listed: __, ...members }) => members,
    recordOf: recordedById('authorization_server', ({ issuer }) => ({ issuer })),
  };
}

/** Mounts `/admin/authorization-servers`, for which clients get identity assertion grants. */
export function authorizationServerRoutes(
  app: FastifyInstance,
  options: AuthorizationServerRoutesOptions,
): void {
  mountRestResource(app, authorizationServerResource(options));
}

function checked(
  given: AuthorizationServerBody,
  stored: AuthorizationServer | undefined,
  issuer: string,
  randomId: RandomId,
): AuthorizationServer {
  if (!URL.canParse(given.issuer)) throw new Problem(400, 'the member is not a URL', 'issuer');
  if (given.issuer === issuer)
    throw new Problem(400, 'this server gives no grants for itself', 'issuer');
  const names = given.clients.map(({ client_id }) => client_id);
  if (new Set(names).size < names.length)
    throw new Problem(400, 'a client is listed twice', 'clients');
  return {
    signing_alg: 'ES256',
    ...given,
    id: stored?.id ?? randomId(),
    listed: stored?.listed ?? new Map(),
  } as AuthorizationServer;
}
