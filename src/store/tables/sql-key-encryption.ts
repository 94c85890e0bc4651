import type { NonceSecretStore } from '../../ports/nonce-secret-store.ts';
import {
  type KeyEncryptionStore,
  keyInForceName,
  nonceSecretName,
} from '../../ports/signing-key-store.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';

/** A compare-and-set. Parameters: new value, name, old value. */
const replaceSecret = 'update shared_secret set value = $1 where name = $2 and value = $3';
const replaceKey = 'update signing_key set private_jwe = $1 where kid = $2 and private_jwe = $3';
const noOtherKey =
  'update shared_secret set value = value where name = $1 and (select count(*) from signing_key) = $2';

/** The change of the key-encryption key in the database. */
export function sqlKeyEncryption(change: AuditedTransaction): KeyEncryptionStore {
  return {
    async changeKeyEncryptionKey({ fromKey, toKey, signingKeys, sharedSecrets }) {
      const detail = {
        from: fromKey,
        to: toKey,
        signing_keys: signingKeys.length,
        shared_secrets: sharedSecrets.length,
      };
      // First: from here on nobody adds a key sealed by the old one (sql-secrets.ts), and this
      // waits for those about to.
      const inForce = { sql: replaceSecret, values: [toKey, keyInForceName, fromKey] };
      const steps = [
        inForce,
        ...signingKeys.map(({ of, from, to }) => ({ sql: replaceKey, values: [to, of, from] })),
        ...sharedSecrets.map(({ of, from, to }) => ({
          sql: replaceSecret,
          values: [to, of, from],
        })),
        { sql: noOtherKey, values: [keyInForceName, signingKeys.length] },
      ];
      return change(steps, { type: 'key_encryption_key_changed', actor: 'admin', detail });
    },
  };
}

/** The nonce secrets as one value, so that a writer that read an older value fails. */
export function sqlNonceSecrets(change: AuditedTransaction): NonceSecretStore {
  return {
    replaceNonceSecrets: async (from, to, event) =>
      change([{ sql: replaceSecret, values: [to, nonceSecretName, from] }], event),
  };
}
