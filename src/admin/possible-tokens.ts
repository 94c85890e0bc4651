import Type from 'typebox';
import { type ClientRegistration, signatureJwks } from '../domain/client-registration.ts';
import { type ConfirmationMethod, confirmationMethods } from '../domain/confirmation-methods.ts';
import type { ResourceServer } from '../domain/resource-server.ts';
import { isForEncryption } from '../jose/encryption-key.ts';
import type { ResourceServers } from '../ports/ports.ts';
import type { ResourceServerRegistry } from '../ports/registry.ts';
import { methodsOfCertificate } from '../protocol/confirmation/x5t-s256.ts';
import { Problem } from './problem.ts';
import { listOf, oneOf } from './schema-parts.ts';

/** Maximum resource servers that one answer lists. */
const maxListed = 100;

const evidence = ['dpop_proof', 'tls_handshake', 'client_assertion'] as const;

/** The schema of a client's possible proofs and of the resource servers it can get tokens for. */
export const possessionAnswer = Type.Object(
  {
    proofs: listOf(oneOf(evidence), {
      description: 'How the client may prove possession of a key in a token request.',
    }),
    resource_servers: Type.Array(
      Type.Object(
        { audience: Type.String(), cnf_methods: listOf(oneOf(confirmationMethods)) },
        { additionalProperties: false },
      ),
      {
        maxItems: maxListed,
        description:
          'Resource servers it may ask tokens for, and the confirmation methods of their ' +
          'tokens; without a method, it gets no token.',
      },
    ),
    more: Type.Boolean({ description: 'There are more resource servers than those listed.' }),
  },
  { additionalProperties: false },
);

/** The proofs by which a token request of this client can succeed (docs/protocol.md). */
function proofsOf(client: ClientRegistration): readonly (typeof evidence)[number][] {
  const byAssertion = client.client_assertion_bound_access_tokens
    ? (['client_assertion'] as const)
    : [];
  return client.tls_client_certificate_bound_access_tokens === true
    ? ['tls_handshake', ...byAssertion]
    : ['dpop_proof', ...byAssertion];
}

/**
 * The confirmation methods by which this client gets a token without `req_cnf`: those that can name
 * a key that it can prove, and `jwe`, which gives it a key.
 */
export function methodsFor(
  client: ClientRegistration,
  resourceServer: ResourceServer,
  issuer: string,
): readonly ConfirmationMethod[] {
  const methods = nameable(client, resourceServer, issuer);
  return proofsOf(client).every((proof) => proof === 'tls_handshake')
    ? methodsOfCertificate(methods)
    : methods;
}

/** The confirmation methods by which the client can get a token, with or without `req_cnf`. */
function nameable(
  client: ClientRegistration,
  { cnf_methods_supported }: ResourceServer,
  issuer: string,
): readonly ConfirmationMethod[] {
  const named = signatureJwks(client).some(({ kid }) => kid !== undefined);
  // The keys at a jwks_uri are unknown here.
  const encrypts =
    client.jwks_uri !== undefined || client.jwks?.keys.some(isForEncryption) === true;
  const possible: Readonly<Record<ConfirmationMethod, boolean>> = {
    jkt: true,
    'x5t#S256': client.tls_client_certificate_bound_access_tokens === true,
    jwk: true,
    kid: named,
    jku: named,
    jwe: encrypts || issuer.startsWith('https:'),
  };
  return cnf_methods_supported.filter((method) => possible[method]);
}

/**
 * Refuses a client that could never get a token. An audience without a resource server counts as
 * possible. Throws Problem.
 */
export async function refuseImpossible(
  client: ClientRegistration,
  resourceServers: ResourceServers,
  issuer: string,
): Promise<void> {
  if (client.dpop_bound_access_tokens && client.tls_client_certificate_bound_access_tokens === true)
    throw new Problem(
      400,
      'a client must send a DPoP proof or be bound to its certificate, not both: ' +
        'no request could satisfy it',
      'tls_client_certificate_bound_access_tokens',
    );
  let symmetric = false;
  for (const audience of client.resources ?? []) {
    const resourceServer = await resourceServers.findByAudience(audience);
    if (resourceServer === undefined || nameable(client, resourceServer, issuer).length > 0) return;
    symmetric ||= resourceServer.cnf_methods_supported.includes('jwe');
  }
  if (client.resources === undefined || client.resources.length === 0) return;
  if (symmetric)
    throw new Problem(
      400,
      'a symmetric key leaves this server over https only, or encrypted: make the issuer https, ' +
        'or register a key with use enc',
      'jwks',
    );
  throw new Problem(
    400,
    'none of these resource servers accepts a confirmation method that can name a key of this ' +
      'client',
    'resources',
  );
}

/** The proofs of a client, and the resource servers that accept them. */
export async function possessionOf(
  client: ClientRegistration,
  resourceServers: ResourceServers & ResourceServerRegistry,
  issuer: string,
) {
  const [found, more] =
    client.resources === undefined
      ? await firstOf(resourceServers)
      : await namedOf(client.resources, resourceServers);
  return {
    proofs: proofsOf(client),
    resource_servers: found.map((resourceServer) => ({
      audience: resourceServer.audience,
      cnf_methods: methodsFor(client, resourceServer, issuer),
    })),
    more,
  };
}

async function firstOf(
  registry: ResourceServerRegistry,
): Promise<[readonly ResourceServer[], boolean]> {
  const { values, next } = await registry.listIntact({ limit: maxListed + 1 });
  return [values.slice(0, maxListed), next !== undefined];
}

async function namedOf(
  audiences: readonly string[],
  resourceServers: ResourceServers,
): Promise<[readonly ResourceServer[], boolean]> {
  const found = await Promise.all(
    audiences.slice(0, maxListed).map(async (audience) => resourceServers.findByAudience(audience)),
  );
  return [
    found.filter((resourceServer) => resourceServer !== undefined),
    audiences.length > maxListed,
  ];
}
