import type { ClientRegistrations, ResourceServers } from '../../ports/ports.ts';
import type { ClientRegistry, Registry, ResourceServerRegistry } from '../../ports/registry.ts';
import type { CacheVersion } from './cache-version.ts';
import { cached } from './registration-cache.ts';

/** Forgets every copy. */
interface Forgetful {
  forget(): void;
}

/** A registry that broadcasts each of its changes before it returns. */
function broadcasting<T>(registry: Registry<T>, changed: () => Promise<void>): Registry<T> {
  const after = async <R>(change: Promise<R>): Promise<R> => {
    try {
      return await change;
    } finally {
      // Also after a failure, because the change may have been committed.
      await changed();
    }
  };
  return {
    get: (id) => registry.get(id),
    list: (query) => registry.list(query),
    listIntact: (query) => registry.listIntact(query),
    create: (value, change) => after(registry.create(value, change)),
    replace: (value, found, change) => after(registry.replace(value, found, change)),
    remove: (id, change, found) => after(registry.remove(id, change, found)),
  };
}

/**
 * Adds a cache for the protocol, at most a second behind the store; look-ups of the admin API go to
 * the store. `broadcast` makes the peers drop their copies.
 */
export function cachedClients(
  store: ClientRegistry & ClientRegistrations,
  state: CacheVersion,
  broadcast: () => Promise<void>,
): ClientRegistry & ClientRegistrations & Forgetful {
  const byId = cached((id) => store.findClient(id), state);
  const changed = async () => {
    byId.forget();
    await broadcast();
  };
  return { ...broadcasting(store, changed), findClient: byId.find, forget: byId.forget };
}

/** Resource servers with the same cache. */
export function cachedResourceServers(
  store: ResourceServerRegistry & ResourceServers,
  state: CacheVersion,
  broadcast: () => Promise<void>,
): ResourceServerRegistry & ResourceServers & Forgetful {
  const byAudience = cached((audience) => store.findByAudience(audience), state);
  const byId = cached((id) => store.findById(id), state);
  const byClientId = cached((clientId) => store.findByClientId(clientId), state);
  const sole = cached(() => store.findSole(), state);
  const forget = () => {
    for (const cache of [byAudience, byId, byClientId, sole]) cache.forget();
  };
  const changed = async () => {
    forget();
    await broadcast();
  };
  return {
    ...broadcasting(store, changed),
    findByAudience: byAudience.find,
    findById: byId.find,
    findByClientId: byClientId.find,
    findSole: async () => sole.find(''),
    forget,
  };
}
