import type { SharedSecretStore } from '../../ports/signing-key-store.ts';
import { answered, type Database } from '../connection/database.ts';

/** Secrets that all replicas share. */
export function sqlSharedSecrets(database: Database): SharedSecretStore {
  const getSecret = (name: string) =>
    answered(async () => (await database.sharedSecret.findUnique({ where: { name } }))?.value);
  return {
    getSecret,
    putSecretOnce: async (name, value) => {
      await answered(
        () =>
          database.$executeRaw`insert into shared_secret (name, value) values (${name}, ${value}) on conflict do nothing`,
      );
      return (await getSecret(name)) ?? value;
    },
  };
}
