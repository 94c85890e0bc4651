import type { ClientRegistration } from './client-registration.ts';
import { JoseFault } from './jose/jose-fault.ts';
import { type PublicKey, readPublicKey } from './jose/public-key.ts';
import type { FetchJwks } from './ports.ts';

/** A registered key beside its `kid`. */
export interface RegisteredKeys {
  /** Keys that could have this `kid` (all keys when undefined); a `jwks_uri` is asked again once when none does. Throws when it cannot be read. */
  find(client: ClientRegistration, kid: string | undefined): Promise<readonly PublicKey[]>;
  /** All keys; `fresh` asks a `jwks_uri` again, within the fetcher's cool-down. Throws when it cannot be read. */
  all(client: ClientRegistration, fresh: boolean): Promise<readonly PublicKey[]>;
}

/** The public keys that a client registered, by value or by `jwks_uri`; every one has passed the gate. */
export function registeredKeys(fetchJwks: FetchJwks): RegisteredKeys {
  // A set that was gated once stays gated as long as the same object is around: importing a key costs more than a signature check.
  const gated = new WeakMap<object, readonly PublicKey[]>();
  const gate = (set: object): readonly PublicKey[] => {
    const known = gated.get(set);
    if (known !== undefined) return known;
    const keys = readKeys(set);
    gated.set(set, keys);
    return keys;
  };
  const load = async (client: ClientRegistration, fresh: boolean): Promise<readonly PublicKey[]> => {
    if (client.jwks !== undefined) return gate(client.jwks);
    if (client.jwks_uri === undefined) return [];
    const set = await fetchJwks(client.jwks_uri, { fresh });
    return typeof set === 'object' && set !== null ? gate(set) : [];
  };
  return {
    all: load,
    async find(client, kid) {
      const matching = async (fresh: boolean) => (await load(client, fresh)).filter((key) => kid === undefined || key.kid === kid);
      const found = await matching(false);
      return found.length > 0 || client.jwks_uri === undefined ? found : matching(true);
    },
  };
}

/**
 * Gates each key of a JWK Set. Keys of a kind that this server does not use are passed over (RFC 7517 §5);
 * private or symmetric material makes the whole set unacceptable.
 */
function readKeys(set: object): readonly PublicKey[] {
  if (!('keys' in set) || !Array.isArray(set.keys)) return [];
  const keys: PublicKey[] = [];
  for (const jwk of set.keys as unknown[]) {
    try {
      keys.push(readPublicKey(jwk));
    } catch (fault) {
      if (!(fault instanceof JoseFault) || fault.reason === 'private_member') throw fault;
    }
  }
  return keys;
}
