import type { NonceSecretStore } from '../../ports/nonce-secret-store.ts';
import { nonceSecretName } from '../../ports/signing-key-store.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { replaceSecret } from './sql-key-encryption.ts';

/** The secrets behind the nonces: one value, so that a writer that read an older one fails. */
export function sqlNonceSecrets(change: AuditedTransaction): NonceSecretStore {
  return {
    replaceNonceSecrets: async (from, to, event) =>
      change([{ sql: replaceSecret, values: [to, nonceSecretName, from] }], event),
  };
}
