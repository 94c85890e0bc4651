import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { KeySource } from '../../domain/key-source.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import {
  type EncryptionKey,
  isForEncryption,
  readEncryptionKey,
} from '../../jose/encryption-key.ts';
import { JoseError } from '../../jose/jose-error.ts';
import { type PublicKey, readPublicKey } from '../../jose/public-key.ts';
import { withoutUnknownMembers } from '../../jose/public-members.ts';
import type { RemoteJwkSets } from '../../ports/ports.ts';
import { RemoteJwksUnavailable } from './remote-jwks/unavailable.ts';
import { withoutRepeatedKids } from './repeated-kids.ts';

/** The owner of keys: a client, or an issuer, whose keys may come from other sources. */
interface KeyOwner {
  readonly jwks?: object;
  readonly jwks_uri?: KeySource;
}

/** The registered keys of a client. All methods throw if a `jwks_uri` cannot be read. */
export interface RegisteredKeys {
  /**
   * Finds the key that made a signature, using `signed`, among those that could have this `kid`
   * (all if undefined). If none did, a `jwks_uri` is fetched again, within the cool-down, because a
   * key may have been replaced under the same `kid`. A key found there puts its set in force.
   */
  signer(
    owner: KeyOwner,
    kid: string | undefined,
    signed: (key: PublicKey) => boolean,
  ): Promise<PublicKey | undefined>;
  /** Keys with this `kid`; if there are none, a `jwks_uri` is fetched again once. */
  find(client: ClientRegistration, kid: string): Promise<readonly PublicKey[]>;
  /** Whether one of the keys matches; if none does, a `jwks_uri` is fetched again once. */
  holds(client: ClientRegistration, wanted: (key: PublicKey) => boolean): Promise<boolean>;
  /** All keys; `fresh` fetches a `jwks_uri` again, within the fetcher's cool-down. */
  all(client: ClientRegistration, fresh: boolean): Promise<readonly PublicKey[]>;
  /** The first acceptable key with `use`: `enc`, or undefined. Throws `unsupported_pop_key`. */
  encryptionKey(client: ClientRegistration): Promise<EncryptionKey | undefined>;
}

// A set that was checked once is not checked again while the same object is held, because importing
// a key costs more than a signature check.
const gated = new WeakMap<object, readonly PublicKey[]>();

function gate(set: object): readonly PublicKey[] {
  const known = gated.get(set);
  if (known !== undefined) return known;
  const keys = readKeys(set);
  gated.set(set, keys);
  return keys;
}

/** The checked public keys that a client registered, by value or by `jwks_uri`. */
export function registeredKeys(remote: RemoteJwkSets): RegisteredKeys {
  const keySet = async ({ jwks, jwks_uri }: KeyOwner, fresh: boolean): Promise<object> => {
    if (jwks !== undefined) return jwks;
    if (jwks_uri === undefined) return {};
    return fresh ? remote.newest(jwks_uri) : remote.current(jwks_uri);
  };
  const load = async (client: ClientRegistration, fresh: boolean): Promise<readonly PublicKey[]> =>
    gate(await keySet(client, fresh));
  return {
    all: load,
    async signer(client, kid, signed) {
      const among = (set: object) =>
        gate(set).find((key) => (kid === undefined || key.kid === kid) && signed(key));
      const set = await keySet(client, false);
      const key = among(set);
      if (key !== undefined || client.jwks_uri === undefined) return key;
      const newest = await keySet(client, true);
      if (newest === set) return undefined;
      const signer = among(newest);
      if (signer !== undefined) remote.adopt(client.jwks_uri, newest);
      return signer;
    },
    async holds(client, wanted) {
      const found = async (fresh: boolean) => (await load(client, fresh)).some(wanted);
      return (await found(false)) || (client.jwks_uri !== undefined && (await found(true)));
    },
    async encryptionKey(client) {
      try {
        return readEncryptionKeys(await keySet(client, false))[0];
      } catch (cause) {
        refuseIfBusy(cause);
        // Otherwise a client that asked for encryption might get the key in the clear.
        throw new OAuthError('client_encryption_key_unavailable', { cause });
      }
    },
    async find(client, kid) {
      const matching = async (fresh: boolean) =>
        (await load(client, fresh)).filter((key) => key.kid === kid);
      const found = await matching(false);
      return found.length > 0 || client.jwks_uri === undefined ? found : matching(true);
    },
  };
}

/** Throws `temporarily_unavailable` if a key set could not be fetched. */
export function refuseIfBusy(cause: unknown): void {
  if (cause instanceof RemoteJwksUnavailable && cause.busy)
    throw new OAuthError('key_server_busy', { cause });
}

/**
 * Checks each key of a JWK Set. Kinds of keys that this server does not use are ignored (RFC 7517
 * §5); private or symmetric material makes the whole set unacceptable. A repeated `kid` is omitted.
 */
function readKeys(set: object): readonly PublicKey[] {
  const keys = readEach(membersOf(set), (jwk) => readPublicKey(withoutUnknownMembers(jwk)));
  return withoutRepeatedKids(keys);
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
      if (!(fault instanceof JoseError) || fault.reason === 'private_member') throw fault;
    }
  }
  return keys;
}
