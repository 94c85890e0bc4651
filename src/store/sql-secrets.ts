import { accessTokenSigningAlgorithms } from '../jose/algorithms.ts';
import type { SharedSecretStore, SigningKeyStore } from '../signing-keys/signing-key-store.ts';
import { answered, type Database } from './database.ts';
import { knownValue } from './json-column.ts';

/** Signing keys, private halves sealed. */
export function sqlSigningKeys(database: Database): SigningKeyStore {
  return {
    listSigningKeys: () =>
      answered(async () => database.signingKey.findMany({ orderBy: { createdAt: 'asc' } })).then((rows) =>
        rows.map(({ kid, alg, firstFor, publicJwk, privateJwe, createdAt, activeAt, revokedAt }) => ({
          kid,
          alg: knownValue(accessTokenSigningAlgorithms, alg, { table: 'signing_key', key: kid }),
          publicJwk,
          privateJwe,
          createdAt: Number(createdAt),
          activeAt: Number(activeAt),
          ...(revokedAt !== null && { revokedAt: Number(revokedAt) }),
          ...(firstFor !== null && firstFor !== alg && { predecessor: firstFor }),
        })),
      ),
    addSigningKey: ({ kid, alg, publicJwk, privateJwe, createdAt, activeAt, predecessor }) =>
      answered(
        async () =>
          (await database.$executeRaw`insert into signing_key (kid, alg, first_for, public_jwk, private_jwe, created_at, active_at) values (${kid}, ${alg}, ${predecessor ?? alg}, ${publicJwk}, ${privateJwe}, ${BigInt(createdAt)}, ${BigInt(activeAt)}) on conflict do nothing`) ===
          1,
      ),
    advanceSigningKey: (kid, activeAt) =>
      answered(async () => {
        await database.signingKey.updateMany({ where: { kid, activeAt: { gt: BigInt(activeAt) } }, data: { activeAt: BigInt(activeAt) } });
      }),
    revokeSigningKey: (kid, at) =>
      answered(async () => (await database.signingKey.updateMany({ where: { kid, revokedAt: null }, data: { revokedAt: BigInt(at) } })).count === 1),
  };
}

/** Secrets that all replicas share. */
export function sqlSharedSecrets(database: Database): SharedSecretStore {
  const getSecret = (name: string) => answered(async () => (await database.sharedSecret.findUnique({ where: { name } }))?.value);
  return {
    getSecret,
    putSecretOnce: async (name, value) => {
      await answered(() => database.$executeRaw`insert into shared_secret (name, value) values (${name}, ${value}) on conflict do nothing`);
      return (await getSecret(name)) ?? value;
    },
  };
}
