import type { NonceSecretStore } from '../possession/dpop-nonce-secrets.ts';
import { nonceSecretName } from '../signing-keys/signing-key-store.ts';
import type { RecordedChange } from './recorded-change.ts';
import { replaceSecret } from './sql-key-encryption.ts';

/** The secrets behind the nonces in the database: one value, so that whoever looked at an older one changes nothing. */
export function sqlNonceSecrets(change: RecordedChange): NonceSecretStore {
  return {
    replaceNonceSecrets: async (from, to, event) =>
      change([{ sql: replaceSecret, values: [to, nonceSecretName, from] }], event),
  };
}
