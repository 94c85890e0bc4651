import type { FastifyInstance } from 'fastify';
import { type ClientRegistration, signatureJwks } from '../domain/client-registration.ts';
import type { Clock } from '../domain/clock.ts';
import { readPublicKey } from '../jose/public-key.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import type { RandomId, ResourceServers, TrustedIssuers } from '../ports/ports.ts';
import type { ClientRegistry, ResourceServerRegistry } from '../ports/registry.ts';
import { changedMembers } from './changed-members.ts';
import type { MayBeFetched } from './check-jwks-uri.ts';
import { checkClient } from './client-registration-request.ts';
import { credentialsAnswer, credentialsOf } from './credentials.ts';
import { parameterExamples } from './examples.ts';
import { mountRestResource } from './mount-rest-resource.ts';
import { possessionAnswer, possessionOf, refuseImpossible } from './possible-tokens.ts';
import { Problem } from './problem.ts';
import type { RestResource } from './rest-resource.ts';
import { answerBody, patchOf } from './schema-parts.ts';
import { type ClientBody, changedClientAnswer, clientAnswer, clientBody } from './schemas.ts';
import { secretRoutes } from './secrets.ts';

type ClientResource = RestResource<ClientRegistration, ClientBody>;

const clientPatch = patchOf(clientBody);
const readClientAnswer = answerBody('ReadClient', {
  ...clientAnswer.properties,
  possession: possessionAnswer,
  credentials: credentialsAnswer,
});
/** The schemas of clients that the OpenAPI document names. */
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
  readonly trustedIssuers: Pick<TrustedIssuers, 'ownerOfSubject'>;
  readonly issuer: string;
  readonly credentialUses: CredentialUseLog;
  readonly mayBeFetched: MayBeFetched;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** Clients as a REST resource. */
export function clientResource(options: ClientRoutesOptions): ClientResource {
  const { clients, resourceServers, issuer, credentialUses, clock } = options;
  return {
    path: '/admin/clients',
    noun: 'Client',
    registry: clients,
    clock,
    tag: 'Clients',
    exampleId: parameterExamples.client,
    nameParameter: 'client_name',
    schema: clientBody,
    patch: clientPatch,
    answers: { shown: clientAnswer, changed: changedClientAnswer, read: readClientAnswer },
    more: async (client) => ({
      possession: await possessionOf(client, resourceServers, issuer),
      credentials: await credentialsOf(client, credentialUses),
    }),
    idOf: ({ client_id }) => client_id,
    read: readBody(options),
    show: ({ value, createdAt }) => ({
      ...withoutInternals(value),
      client_id_issued_at: Math.floor(createdAt / 1000),
    }),
    toBody,
    recordOf,
  };
}

/** Mounts `/admin/clients` (metadata of RFC 7591 §2) and the secrets of each client. */
export function clientRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  mountRestResource(app, clientResource(options));
  secretRoutes<ClientRegistration>(app, {
    path: '/admin/clients',
    noun: 'Client',
    registry: options.clients,
    clock: options.clock,
    credentialUses: options.credentialUses,
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

function readBody(options: ClientRoutesOptions): ClientResource['read'] {
  const { resourceServers, trustedIssuers, issuer, mayBeFetched, clock, randomId } = options;
  return async (body, stored) => {
    if (stored !== undefined && body.client_id !== undefined && body.client_id !== stored.client_id)
      throw new Problem(400, 'client_id cannot be changed', 'client_id');
    const clientId = stored?.client_id ?? body.client_id ?? randomId();
    // A user of that issuer and this client would have one `sub`.
    if (stored === undefined && (await trustedIssuers.ownerOfSubject(clientId)) !== undefined)
      throw new Problem(400, 'it begins with the subject_prefix of a trusted issuer', 'client_id');
    const now = Math.floor(clock() / 1000);
    const { client, clientSecret } = checkClient(body, clientId, stored, now, mayBeFetched);
    await refuseImpossible(client, resourceServers, issuer);
    return {
      value: client,
      ...(clientSecret !== undefined && {
        once: { client_secret: clientSecret, client_secret_expires_at: 0 },
      }),
    };
  };
}

/** Turns a registration into a request body; an absent method stays absent. */
function toBody(client: ClientRegistration): object {
  const { token_endpoint_auth_method: method, ...unnamed } = withoutInternals(client);
  return client.secret_in_either_place === true
    ? unnamed
    : { ...unnamed, token_endpoint_auth_method: method };
}

/**
 * Describes a change for the audit trail and for the store, which revokes tokens bound to a removed
 * key or issued for a removed holder.
 */
function recordOf(
  ...[what, id, value, previous]: Parameters<ClientResource['recordOf']>
): ReturnType<ClientResource['recordOf']> {
  const [had, kept] = [thumbprints(previous), thumbprints(value)];
  // For a jwks_uri a background job finds the removed keys.
  const keysRemoved = value?.jwks_uri === undefined ? [...had].filter((jkt) => !kept.has(jkt)) : [];
  const keysAdded = [...kept].filter((jkt) => !had.has(jkt));
  const detail = {
    ...(what === 'changed' && { members: changedMembers(previous, value) }),
    ...(keysAdded.length > 0 && { keys_added: keysAdded }),
    ...(keysRemoved.length > 0 && { keys_removed: keysRemoved }),
  };
  const holders = value?.alt_cnf_holders ?? [];
  return {
    event: {
      type: `client_${what}`,
      actor: 'admin',
      client_id: id,
      ...(Object.keys(detail).length > 0 && { detail }),
    },
    keysRemoved,
    holdersRemoved: (previous?.alt_cnf_holders ?? []).filter((holder) => !holders.includes(holder)),
  };
}

/** Removes the members that are internal to this server. */
function withoutInternals({
  clientSecrets: _,
  registration_id: __,
  listed: ___,
  secret_in_either_place: ____,
  ...client
}: ClientRegistration) {
  return client;
}

/** Thumbprints of the keys that are registered by value. */
function thumbprints(client: ClientRegistration | undefined): ReadonlySet<string> {
  return new Set(client && signatureJwks(client).map((jwk) => readPublicKey(jwk).jkt));
}
