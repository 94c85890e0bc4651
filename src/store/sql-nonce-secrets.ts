import type { Clock } from '../ports.ts';
import type { NonceSecretStore } from '../possession/dpop-nonce-secrets.ts';
import { nonceSecretName } from '../signing-keys/signing-key-store.ts';
import { databaseKind } from './adapters.ts';
import { allOrNothing } from './all-or-nothing.ts';
import type { Database } from './database.ts';
import { eventRow, insertEvents } from './sql-audit.ts';
import { replaceSecret } from './sql-key-encryption.ts';

/** The secrets behind the nonces in the database: one value, so that whoever looked at an older one changes nothing. */
export function sqlNonceSecrets(url: string, database: Database, clock: Clock): NonceSecretStore {
  return {
    replaceNonceSecrets: async (from, to, event) =>
      allOrNothing(url, database, [
        { sql: replaceSecret, values: [to, nonceSecretName, from] },
        { sql: insertEvents[databaseKind(url)], values: [JSON.stringify([eventRow(event, clock())])] },
      ]),
  };
}
