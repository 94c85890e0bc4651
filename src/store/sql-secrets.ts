import { accessTokenSigningAlgorithms } from '../jose/algorithms.ts';
import { keyInForceName, type SharedSecretStore, type SigningKeyStore } from '../signing-keys/signing-key-store.ts';
import { answered, type Database } from './database.ts';
import { knownValue } from './json-column.ts';
import type { DatabaseKind } from './schema.ts';

/** Only while the key-encryption key that sealed it is in force; PostgreSQL waits for a change of that under way, SQLite has one writer anyway. */
const insertKey = (kind: DatabaseKind) =>
  `insert into signing_key (kid, alg, first_for, public_jwk, private_jwe, created_at, active_at) select $1, $2, $3, $4, $5, cast($6 as bigint), cast($7 as bigint) from shared_secret where name = $8 and value = $9${kind === 'postgresql' ? ' for share' : ''} on conflict do nothing`;

/** Signing keys, private halves sealed. */
export function sqlSigningKeys(database: Database, kind: DatabaseKind): SigningKeyStore {
  const insert = insertKey(kind);
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
    addSigningKey: ({ kid, alg, publicJwk, privateJwe, createdAt, activeAt, predecessor, sealedBy }) =>
      answered(async () => {
        const values = [kid, alg, predecessor ?? alg, publicJwk, privateJwe, createdAt, activeAt, keyInForceName, sealedBy];
        if ((await database.$executeRawUnsafe(insert, ...values)) === 1) return 'added';
        const inForce = await database.sharedSecret.findUnique({ where: { name: keyInForceName } });
        return inForce?.value === sealedBy ? 'taken' : 'sealed_anew';
      }),
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
