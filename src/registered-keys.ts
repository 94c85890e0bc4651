import type { ClientRegistration } from './client-registration.ts';
import { type EncryptionKey, isForEncryption, readEncryptionKey } from './jose/encryption-key.ts';
import { JoseFault } from './jose/jose-fault.ts';
import { type PublicKey, readPublicKey } from './jose/public-key.ts';
import { withoutUnknownMembers } from './jose/public-members.ts';
import { OAuthError } from './oauth-error.ts';
import type { FetchJwks } from './ports.ts';

/** A registered key beside its `kid`. */
export interface RegisteredKeys {
  /** Keys that could have this `kid` (all keys when undefined); a `jwks_uri` is asked again once when none does. Throws when it cannot be read. */
  find(client: ClientRegistration, kid: string | undefined): Promise<readonly PublicKey[]>;
  /** Whether one of the keys is such; a `jwks_uri` is asked again once when none is, for another replica may know a newer copy. Throws when it cannot be read. */
  holds(client: ClientRegistration, wanted: (key: PublicKey) => boolean): Promise<boolean>;
  /** All keys; `fresh` asks a `jwks_uri` again, within the fetcher's cool-down. Throws when it cannot be read. */
  all(client: ClientRegistration, fresh: boolean): Promise<readonly PublicKey[]>;
  /** The first acceptable key with `use`: `enc`, or undefined. Throws `unsupported_pop_key` when a `jwks_uri` cannot be read. */
  encryptionKey(client: ClientRegistration): Promise<EncryptionKey | undefined>;
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
  const keySet = async (
    { jwks, jwks_uri }: ClientRegistration,
    fresh: boolean,
  ): Promise<object> => {
    const set = jwks ?? (jwks_uri === undefined ? undefined : await fetchJwks(jwks_uri, { fresh }));
    return typeof set === 'object' && set !== null ? set : {};
  };
  const load = async (client: ClientRegistration, fresh: boolean): Promise<readonly PublicKey[]> =>
    gate(await keySet(client, fresh));
  return {
    all: load,
    async holds(client, wanted) {
      const found = async (fresh: boolean) => (await load(client, fresh)).some(wanted);
      return (await found(false)) || (client.jwks_uri !== undefined && (await found(true)));
    },
    async encryptionKey(client) {
      try {
        return readEncryptionKeys(await keySet(client, false))[0];
      } catch (cause) {
        // Without the answer the key might go out in the clear to a client that asked for encryption.
        throw new OAuthError(
          'unsupported_pop_key',
          'the encryption key of the client cannot be read',
          {
            cause,
            reason: 'client_encryption_key_unavailable',
          },
        );
      }
    },
    async find(client, kid) {
      const matching = async (fresh: boolean) =>
        (await load(client, fresh)).filter((key) => kid === undefined || key.kid === kid);
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
  return readEach(membersOf(set), (jwk) => readPublicKey(withoutUnknownMembers(jwk)));
}

function readEncryptionKeys(set: object): readonly EncryptionKey[] {
  return readEach(membersOf(set).filter(isForEncryption), readEncryptionKey);
}

function membersOf(set: object): readonly unknown[] {
  return 'keys' in set && Array.isArray(set.keys) ? set.keys : [];
}

function readEach<Key>(jwks: readonly unknown[], read: (jwk: unknown) => Key): readonly Key[] {
  const keys: Key[] = [];
  for (const jwk of jwks) {
    try {
      keys.push(read(jwk));
    } catch (fault) {
      if (!(fault instanceof JoseFault) || fault.reason === 'private_member') throw fault;
    }
  }
  return keys;
}
