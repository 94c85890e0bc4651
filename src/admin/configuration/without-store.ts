import { randomUUID } from 'node:crypto';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Registrations } from '../../ports/configuration.ts';
import type { Registry, Stored } from '../../ports/registry.ts';
import { Faults } from '../problem.ts';
import type { Fault } from '../schema-fault.ts';
import { planConfiguration } from './plan.ts';
import { listIn } from './plan-kind.ts';
import type { ConfigurationOptions } from './planning.ts';
import type { Configuration } from './schemas.ts';
import { undeclared } from './undeclared.ts';

/** What registrations are checked against besides the store. */
export type ChecksWithoutStore = Pick<
  ConfigurationOptions,
  'issuer' | 'mayBeFetched' | 'hasTrustBundleDirectory' | 'maxAccessTokenLifetime'
>;

/** What a check without a store finds; there are warnings only if there are no faults. */
export interface Examined {
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

/**
 * Runs the checks of the planner without a store. What the store could have is a warning: an
 * undeclared registration, and the secret of a client. `known`: faults that the schema found.
 */
export async function examineWithoutStore(
  given: Configuration,
  known: readonly Fault[],
  checks: ChecksWithoutStore,
): Promise<Examined> {
  const { configuration, warnings } = withSecrets(given);
  try {
    const turn = async () => undefined;
    await planConfiguration(configuration, { prune: false, known, turn }, options(given, checks));
    return { faults: [], warnings: [...warnings, ...undeclared(given)] };
  } catch (refusal) {
    if (refusal instanceof Faults) return { faults: refusal.faults, warnings: [] };
    throw refusal;
  }
}

/** Gives clients without a secret one, and warns of them. */
function withSecrets(given: Configuration) {
  const warnings: Fault[] = [];
  const clients = listIn(given, 'clients').map((client, index) => {
    const { client_secret, token_endpoint_auth_method: method = 'client_secret_basic' } =
      (client as typeof client | null) ?? {};
    const usesSecret = method === 'client_secret_basic' || method === 'client_secret_post';
    if (client_secret !== undefined || !usesSecret) return client;
    warnings.push({
      member: `clients[${index}].client_secret`,
      detail: 'there is none: the server must have this client already',
    });
    return { ...client, client_secret: '?'.repeat(32) };
  });
  return { configuration: { ...given, ...(clients.length > 0 && { clients }) }, warnings };
}

function options(configuration: Configuration, checks: ChecksWithoutStore): ConfigurationOptions {
  return {
    ...checks,
    clock: Date.now,
    randomId: randomUUID,
    credentialUses: { record: unused, usesOf: async () => [] },
    ensureSigningKey: async () => undefined,
    configuration: {
      registrations: registrations(configuration),
      alone: unused,
      version: unused,
      commit: unused,
    },
  };
}

/** Registrations where every client exists that the configuration does not declare. */
function registrations(configuration: Configuration): Registrations {
  const declared = new Set(
    listIn(configuration, 'clients').map((client) => (client as typeof client | null)?.client_id),
  );
  return {
    clients: {
      ...empty,
      get: async (client_id) =>
        declared.has(client_id)
          ? undefined
          : ({ value: { client_id } } as Stored<ClientRegistration>),
    },
    resourceServers: {
      ...empty,
      findByAudience: absent,
      findById: absent,
      findByClientId: absent,
      findSole: absent,
    },
    trustedIssuers: {
      ...empty,
      rulesOf: () => empty,
      findTrustedIssuer: absent,
      ownerOfSubject: absent,
    },
    authorizationServers: { ...empty, findAuthorizationServer: absent },
    pairings: {
      create: unused,
      get: absent,
      list: async () => [],
      revoke: unused,
      findPairing: absent,
    },
  };
}

const absent = async () => undefined;

/** Stands for what changes the store, which no check does. */
async function unused(): Promise<never> {
  throw new Error('a check without a store changes nothing');
}

const empty: Registry<never> = {
  create: unused,
  get: absent,
  list: async () => [],
  listIntact: async () => ({ values: [], next: undefined }),
  replace: unused,
  remove: unused,
};
