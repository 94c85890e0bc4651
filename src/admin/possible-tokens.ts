import Type from 'typebox';
import { type ClientRegistration, signatureJwks } from '../client-registration.ts';
import type { ResourceServers } from '../ports.ts';
import { type ConfirmationMethod, confirmationMethods, type ResourceServer } from '../resource-server.ts';
import { Problem } from './problem.ts';
import type { ResourceServerRegistry } from './registry.ts';
import { listOf, oneOf } from './schemas.ts';

/** Resource servers that one answer lists. */
const maxListed = 100;

const evidence = ['dpop_proof', 'tls_handshake', 'client_assertion'] as const;

/** What a client can prove, and where that leads to a token. */
export const possessionAnswer = Type.Object(
  {
    proofs: listOf(oneOf(evidence), { description: 'How the client may prove a key in a token request.' }),
    resource_servers: Type.Array(
      Type.Object({ audience: Type.String(), cnf_methods: listOf(oneOf(confirmationMethods)) }, { additionalProperties: false }),
      { maxItems: maxListed, description: 'Where it may ask for tokens, and how they can name its key; no method: never a token.' },
    ),
    more: Type.Boolean({ description: 'There are resource servers beyond those listed.' }),
  },
  { additionalProperties: false },
);

/** The proofs that a token request of this client can be granted by (product decision 4 of the protocol reference). */
function proofsOf(client: ClientRegistration): readonly (typeof evidence)[number][] {
  const byAssertion = client.client_assertion_bound_access_tokens ? (['client_assertion'] as const) : [];
  return client.tls_client_certificate_bound_access_tokens === true ? ['tls_handshake', ...byAssertion] : ['dpop_proof', ...byAssertion];
}

/** The resource server's methods that can name a key which this client can prove. */
function methodsFor(client: ClientRegistration, { cnf_methods_supported }: ResourceServer): readonly ConfirmationMethod[] {
  const named = signatureJwks(client).some(({ kid }) => kid !== undefined);
  return cnf_methods_supported.filter((method) => {
    if (method === 'x5t#S256') return client.tls_client_certificate_bound_access_tokens === true;
    return method === 'kid' || method === 'jku' ? named : true;
  });
}

/** Refuses a client that could never get a token. Audiences without a resource server yet count as possible. Throws Problem. */
export async function refuseImpossible(client: ClientRegistration, resourceServers: ResourceServers): Promise<void> {
  if (client.dpop_bound_access_tokens && client.tls_client_certificate_bound_access_tokens === true)
    throw new Problem(
      400,
      'a client must send a DPoP proof or be bound to its certificate, not both: no request could satisfy it',
      'tls_client_certificate_bound_access_tokens',
    );
  for (const audience of client.resources ?? []) {
    const resourceServer = await resourceServers.findByAudience(audience);
    if (resourceServer === undefined || methodsFor(client, resourceServer).length > 0) return;
  }
  if (client.resources !== undefined && client.resources.length > 0)
    throw new Problem(400, 'none of these resource servers accepts a confirmation method by which a key of this client can be named', 'resources');
}

/** What the operator sees of a client: its proofs, and which resource servers accept them. */
export async function possessionOf(client: ClientRegistration, resourceServers: ResourceServers & ResourceServerRegistry) {
  const [found, more] = client.resources === undefined ? await firstOf(resourceServers) : await namedOf(client.resources, resourceServers);
  return {
    proofs: proofsOf(client),
    resource_servers: found.map((resourceServer) => ({ audience: resourceServer.audience, cnf_methods: methodsFor(client, resourceServer) })),
    more,
  };
}

async function firstOf(registry: ResourceServerRegistry): Promise<[readonly ResourceServer[], boolean]> {
  const all = await registry.list({ limit: maxListed + 1 });
  return [all.slice(0, maxListed).map(({ value }) => value), all.length > maxListed];
}

async function namedOf(audiences: readonly string[], resourceServers: ResourceServers): Promise<[readonly ResourceServer[], boolean]> {
  const found = await Promise.all(audiences.slice(0, maxListed).map(async (audience) => resourceServers.findByAudience(audience)));
  return [found.filter((resourceServer) => resourceServer !== undefined), audiences.length > maxListed];
}
