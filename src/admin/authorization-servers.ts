import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuthorizationServer, ClientElsewhere } from '../domain/authorization-server.ts';
import type { Clock } from '../domain/clock.ts';
import { defined } from '../domain/defined.ts';
import {
  type AccessTokenSigningAlgorithm,
  accessTokenSigningAlgorithms,
} from '../jose/algorithms.ts';
import type { RandomId } from '../ports/ports.ts';
import type { Registry } from '../ports/registry.ts';
import { changedMembers } from './changed-members.ts';
import { parameterExamples } from './examples.ts';
import { restResource } from './mount-resource.ts';
import { pattern } from './patterns.ts';
import { Problem } from './problem.ts';
import { listOf, managedBy, oneOf, patchOf, text } from './schema-parts.ts';

const clientId = text({ pattern: pattern('printable'), maxLength: 255 });

const body = Type.Object(
  {
    issuer: text({
      pattern: pattern('httpsUrl'),
      maxLength: 2048,
      description: 'Its issuer identifier: `aud` of the grants.',
    }),
    clients: Type.Unsafe<readonly ClientElsewhere[]>(
      Type.Array(
        Type.Object(
          { client_id: clientId, remote_client_id: clientId },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 1000, description: 'Who may ask, and its name over there.' },
      ),
    ),
    scope: Type.Optional(
      text({
        pattern: pattern('scope'),
        maxLength: 2048,
        description: 'Most scope of a grant. Absent: none.',
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
  },
  { $id: 'AuthorizationServerBody', additionalProperties: false },
);
type Body = Type.Static<typeof body>;
const patch = patchOf(body);
const shown = Type.Object(
  { ...body.properties, id: Type.String(), managed_by: managedBy },
  { $id: 'AuthorizationServer' },
);

/** The schemas of other authorization servers that the OpenAPI document names. */
export const authorizationServerSchemas = [body, patch, shown];

export interface AuthorizationServerRoutesOptions {
  /** Of this server. */
  readonly issuer: string;
  readonly authorizationServers: Registry<AuthorizationServer>;
  readonly ensureSigningKey: (alg: AccessTokenSigningAlgorithm) => Promise<void>;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** Mounts `/admin/authorization-servers`, for which clients get identity assertion grants. */
export function authorizationServerRoutes(
  app: FastifyInstance,
  options: AuthorizationServerRoutesOptions,
): void {
  const { authorizationServers: registry, clock, randomId } = options;
  restResource<AuthorizationServer, Body>(app, {
    path: '/admin/authorization-servers',
    noun: 'AuthorizationServer',
    tag: 'Authorization servers',
    exampleId: parameterExamples.authorizationServer,
    about: {
      create: 'Lets clients obtain identity assertion grants for another authorization server.',
      replace: 'Replaces all members; a listed client stays the one that it was.',
      delete: 'No more grants are given for it. Those that exist end within five minutes.',
    },
    schema: body,
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
    show: ({ value: { listed: _, ...members }, managedBy: by }) => ({
      ...members,
      ...defined({ managed_by: by }),
    }),
    toBody: ({ id: _, listed: __, ...members }) => members,
    recordOf: (what, id, value, previous) => ({
      event: {
        type: `authorization_server_${what}`,
        actor: 'admin',
        detail: {
          id,
          ...(value !== undefined && { issuer: value.issuer }),
          ...(what === 'changed' && { members: changedMembers(previous, value) }),
        },
      },
    }),
  });
}

function checked(
  given: Body,
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
