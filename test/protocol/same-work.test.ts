import { describe, expect, it } from 'vitest';
import type { ClientRegistration } from '../../src/domain/client-registration.ts';
import type { ResourceServer } from '../../src/domain/resource-server.ts';
import { authenticateCaller } from '../../src/protocol/client-authentication/authenticate-caller.ts';
import { authenticateClient } from '../../src/protocol/client-authentication/authenticate-client.ts';
import { hashClientSecret } from '../../src/protocol/client-authentication/client-secret.ts';
import { cached } from '../../src/store/cache/registration-cache.ts';
import { basic } from '../support/server.ts';

const secret = 's'.repeat(32);
const clientSecrets = [{ id: 'one', hash: hashClientSecret(secret), created_at: 0 }];

/** Registries behind their caches, as the server has them; `looked` counts the looks into the store. */
function registries() {
  const store = { looked: 0 };
  const known = <Value extends object>(names: readonly string[], value: object) => {
    const load = async (id: string) => {
      store.looked++;
      return names.includes(id) ? (value as Value) : undefined;
    };
    return { load, find: cached(load, { current: async () => store }).find };
  };
  const clients = known<ClientRegistration>(['app', 'both'], {
    client_id: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    clientSecrets,
  });
  const servers = known<ResourceServer>(['rs', 'both'], { client_id: 'rs', clientSecrets });
  const none = async () => undefined;
  const ports = {
    clock: () => 0,
    clients: { findClient: clients.find },
    currentClients: { findClient: clients.load },
    resourceServers: {
      findByClientId: servers.find,
      findByAudience: none,
      findById: none,
      findSole: none,
    },
    currentResourceServers: { findByClientId: servers.load },
  };
  return { store, ports };
}

describe('RFC 6749 §2.3.1: a refusal takes as many looks into the store for an unknown client as for a wrong secret', () => {
  const never = async () => Promise.reject(new Error('not by this method'));
  const { store, ports } = registries();
  const endpoints = {
    token: authenticateClient({
      ...ports,
      privateKeyJwt: never,
      tlsClientAuth: never,
      workloads: { byToken: never, bySvid: never, byGrant: never },
      keysAreProven: true,
    }),
    introspection: authenticateCaller(ports),
  };
  /** Looks into the store that the second of two equal requests takes: the first may fill a cache. */
  const looks = async (endpoint: keyof typeof endpoints, name: string, password: string) => {
    const request = { authorization: basic(name, password), parameters: new Map() };
    const ask = async () => endpoints[endpoint](request as never).catch(() => 'refused');
    await ask();
    const before = store.looked;
    const refused = (await ask()) === 'refused';
    return { refused, looks: store.looked - before };
  };

  it.each([
    ['token', 'app'],
    ['introspection', 'app'],
    ['introspection', 'rs'],
    ['introspection', 'both'],
  ] as const)('%s endpoint, %s', async (endpoint, name) => {
    expect(await looks(endpoint, name, secret)).toMatchObject({ refused: false });
    const [unknown, wrong] = [
      await looks(endpoint, 'nobody', 'wrong'.repeat(8)),
      await looks(endpoint, name, 'wrong'.repeat(8)),
    ];
    expect(unknown.looks).toBeGreaterThan(0);
    expect(wrong).toEqual(unknown);
  });
});
