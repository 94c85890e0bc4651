import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { type ClientRegistration, signatureJwks } from '../domain/client-registration.ts';
import type { Clock } from '../domain/clock.ts';
import { readPublicKey } from '../jose/public-key.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import type { RandomId, ResourceServers } from '../ports/ports.ts';
import type { ClientRegistry, ResourceServerRegistry } from '../ports/registry.ts';
import { changedMembers } from './changed-members.ts';
import type { MayBeFetched } from './check-jwks-uri.ts';
import { checkClient } from './client-registration-request.ts';
import { credentialsAnswer, credentialsOf } from './credentials.ts';
import { parameterExamples } from './examples.ts';
import { possessionAnswer, possessionOf, refuseImpossible } from './possible-tokens.ts';
import { Problem } from './problem.ts';
import { restResource } from './resource.ts';
import {
  type ClientBody,
  changedClientAnswer,
  clientAnswer,
  clientBody,
  patchOf,
} from './schemas.ts';
import { secretRoutes } from './secrets.ts';

const clientPatch = patchOf(clientBody);
const readClientAnswer = Type.Object(
  { ...clientAnswer.properties, possession: possessionAnswer, credentials: credentialsAnswer },
  { $id: 'ReadClient' },
);
export const clientSchemas = [
  clientBody,
  clientPatch,
  clientAnswer,
  changedClientAnswer,
  readClientAnswer,
];

export interface ClientRoutesOptions {
  readonly clients: ClientRegistry;
  readonly resourceServers: ResourceServerRegistry & ResourceServers;
  readonly issuer: string;
  readonly credentialUses: CredentialUseLog;
  readonly mayBeFetched: MayBeFetched;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** `/admin/clients` (metadata of RFC 7591 §2). */
export function clientRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  const { clients, resourceServers, issuer, credentialUses, mayBeFetched, clock, randomId } =
    options;
  restResource<ClientRegistration, ClientBody>(app, {
    path: '/admin/clients',
    tag: 'Clients',
    exampleId: parameterExamples.client,
    nameParameter: 'client_name',
    noun: 'Client',
    schema: clientBody,
    patch: clientPatch,
    answers: { shown: clientAnswer, changed: changedClientAnswer, read: readClientAnswer },
    more: async (client) => ({
      possession: await possessionOf(client, resourceServers, issuer),
      credentials: await credentialsOf(client, credentialUses),
    }),
    registry: clients,
    clock,
    idOf: ({ client_id }) => client_id,
    read: async (body, stored) => {
      if (
        stored !== undefined &&
        body.client_id !== undefined &&
        body.client_id !== stored.client_id
      )
        throw new Problem(400, 'client_id cannot be changed', 'client_id');
      const clientId = stored?.client_id ?? body.client_id ?? randomId();
      const { client, clientSecret } = checkClient(
        body,
        clientId,
        stored,
        Math.floor(clock() / 1000),
        mayBeFetched,
      );
      await refuseImpossible(client, resourceServers, issuer);
      return {
        value: client,
        ...(clientSecret !== undefined && {
          once: { client_secret: clientSecret, client_secret_expires_at: 0 },
        }),
      };
    },
    show: ({ value, createdAt }) => ({
      ...withoutInternals(value),
      client_id_issued_at: Math.floor(createdAt / 1000),
    }),
    // A method that was not named stays unnamed.
    toBody: (client) => {
      const { token_endpoint_auth_method: method, ...unnamed } = withoutInternals(client);
      return client.secret_in_either_place === true
        ? unnamed
        : { ...unnamed, token_endpoint_auth_method: method };
    },
    recordOf: (what, id, value, previous) => {
      const [had, kept] = [thumbprints(previous), thumbprints(value)];
      // Tokens bound to a removed key become inactive. A background job finds the removed keys
      // of a jwks_uri.
      const keysRemoved =
        value?.jwks_uri === undefined ? [...had].filter((jkt) => !kept.has(jkt)) : [];
      const keys = {
        keys_added: [...kept].filter((jkt) => !had.has(jkt)),
        keys_removed: keysRemoved,
      };
      const detail = {
        ...(what === 'changed' && { members: changedMembers(previous, value) }),
        ...withoutEmpty(keys),
      };
      const event = {
        type: `client_${what}`,
        actor: 'admin',
        client_id: id,
        ...(Object.keys(detail).length > 0 && { detail }),
      } as const;
      const holders = value?.alt_cnf_holders ?? [];
      const holdersRemoved = (previous?.alt_cnf_holders ?? []).filter(
        (holder) => !holders.includes(holder),
      );
      return { event, keysRemoved, holdersRemoved };
    },
  });
  secretRoutes<ClientRegistration>(app, {
    path: '/admin/clients',
    noun: 'Client',
    registry: clients,
    credentialUses,
    clock,
    identityOf: ({ registration_id }) => registration_id,
    takesSecrets: ({ token_endpoint_auth_method: method }) =>
      method === 'client_secret_basic' || method === 'client_secret_post',
    eventOf: (what, { client_id }, detail) => ({
      type: `client_secret_${what}`,
      actor: 'admin',
      client_id,
      detail,
    }),
  });
}

/** What only this server knows of a client is neither shown nor given. */
function withoutInternals({
  clientSecrets: _,
  registration_id: __,
  listed: ___,
  secret_in_either_place: ____,
  ...client
}: ClientRegistration) {
  return client;
}

function withoutEmpty(
  lists: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

/** Thumbprints of the keys that are registered by value. */
function thumbprints(client: ClientRegistration | undefined): ReadonlySet<string> {
  return new Set(client && signatureJwks(client).map((jwk) => readPublicKey(jwk).jkt));
}
