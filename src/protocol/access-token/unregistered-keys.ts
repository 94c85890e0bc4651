import type { BoundKey, BoundKeys } from '../../ports/bound-keys.ts';
import type { IssuedTokens } from '../../ports/issued-tokens.ts';
import type { ClientRegistrations } from '../../ports/ports.ts';
import type { RegisteredKeys } from '../client-keys/registered-keys.ts';

export interface UnregisteredKeysOptions {
  readonly boundKeys: BoundKeys;
  /** The clients as they are in the store now. */
  readonly clients: ClientRegistrations;
  readonly keys: Pick<RegisteredKeys, 'all'>;
  readonly issuedTokens: Pick<IssuedTokens, 'revokeAll'>;
  /** Maximum lifetime of a token, in seconds. */
  readonly tokenLifetime: number;
}

/** Seconds by which two reads overlap, to cover issuances in progress and slow clocks. */
const overlap = 120;

interface Watched extends BoundKey {
  /** The copy of a `jwks_uri` in which the key was first found missing. */
  readonly missedIn?: object;
}

/**
 * Revokes tokens bound to keys that are no longer registered, so that status lists agree with
 * introspection. A `jwks_uri` that cannot be read revokes nothing.
 */
export function unregisteredKeys({
  boundKeys,
  clients,
  keys,
  issuedTokens,
  tokenLifetime,
}: UnregisteredKeysOptions) {
  const watched = new Map<string, Watched>();
  let last: number | undefined;
  const look = async (now: number) => {
    for (const key of await boundKeys.since(
      Math.max((last ?? 0) - overlap, now - tokenLifetime),
      now,
    )) {
      const name = JSON.stringify([key.client_id, key.jkt]);
      // A token was bound to it again, so an earlier miss no longer counts.
      if (key.expiresAt > (watched.get(name)?.expiresAt ?? 0)) watched.set(name, key);
    }
    last = now;
  };
  /** Checks one key and returns it if it must still be watched. */
  const check = async (key: Watched): Promise<Watched | undefined> => {
    const { client_id, jkt, missedIn, expiresAt } = key;
    const client = await clients.findClient(client_id);
    if (client === undefined) return undefined;
    const isRemote = client.jwks_uri !== undefined;
    let copy = await keys.all(client, false);
    const isThere = () => copy.some((registered) => registered.jkt === jkt);
    if (isRemote && !isThere()) copy = await keys.all(client, true);
    if (isThere()) return isRemote ? { client_id, jkt, expiresAt } : undefined;
    // The copy may be older than a key that another replica has seen; only a later copy proves it.
    if (isRemote && (missedIn === undefined || missedIn === copy))
      return { ...key, missedIn: copy };
    await issuedTokens.revokeAll({ client_id, jkt }, (revoked) =>
      revoked === 0
        ? undefined
        : { type: 'key_tokens_revoked', actor: 'server', client_id, jkt, detail: { revoked } },
    );
    return undefined;
  };
  /** `now` in seconds since the epoch, by the database's clock. */
  return async (now: number): Promise<void> => {
    await look(now);
    for (const [name, key] of watched) {
      const next = key.expiresAt <= now ? undefined : await check(key).catch(() => key);
      if (next === undefined) watched.delete(name);
      else watched.set(name, next);
    }
  };
}
