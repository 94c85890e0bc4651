import type { Clock } from '../ports.ts';
import { type KeyEncryptionStore, keyInForceName } from '../signing-keys/signing-key-store.ts';
import { databaseKind } from './adapters.ts';
import { allOrNothing } from './all-or-nothing.ts';
import type { Database } from './database.ts';
import { eventRow, insertEvents } from './sql-audit.ts';

/** A compare-and-set: value, name, the value that it takes the place of. */
export const replaceSecret = 'update shared_secret set value = $1 where name = $2 and value = $3';
const replaceKey = 'update signing_key set private_jwe = $1 where kid = $2 and private_jwe = $3';
const noOtherKey = 'update shared_secret set value = value where name = $1 and (select count(*) from signing_key) = $2';

/** The change of the key-encryption key in the database. */
export function sqlKeyEncryption(url: string, database: Database, clock: Clock): KeyEncryptionStore {
  return {
    async changeKeyEncryptionKey({ fromKey, toKey, signingKeys, sharedSecrets }) {
      const detail = { from: fromKey, to: toKey, signing_keys: signingKeys.length, shared_secrets: sharedSecrets.length };
      const event = eventRow({ type: 'key_encryption_key_changed', actor: 'admin', detail }, clock());
      // First: from here on nobody adds a key sealed by the old one (sql-secrets.ts), and whoever was about to is waited for.
      const inForce = { sql: replaceSecret, values: [toKey, keyInForceName, fromKey] };
      return allOrNothing(url, database, [
        inForce,
        ...signingKeys.map(({ of, from, to }) => ({ sql: replaceKey, values: [to, of, from] })),
        ...sharedSecrets.map(({ of, from, to }) => ({ sql: replaceSecret, values: [to, of, from] })),
        { sql: noOtherKey, values: [keyInForceName, signingKeys.length] },
        { sql: insertEvents[databaseKind(url)], values: [JSON.stringify([event])] },
      ]);
    },
  };
}
