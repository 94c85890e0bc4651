import type { SharedSecretStore } from '../../ports/signing-key-store.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';

/** Secrets that all replicas share. */
export function sqlSharedSecrets(database: Database): SharedSecretStore {
  const getSecret = (name: string) =>
    orStoreUnavailable(
      async () => (await database.sharedSecret.findUnique({ where: { name } }))?.value,
    );
  return {
    getSecret,
    putSecretOnce: async (name, value) => {
      await orStoreUnavailable(
        () =>
          database.$executeRaw`insert into shared_secret (name, value) values (${name}, ${value}) on conflict do nothing`,
      );
      return (await getSecret(name)) ?? value;
    },
  };
}
