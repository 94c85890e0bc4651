import type { Config } from '../../config/config.ts';
import { keyEncryption, placeOfSecret, placeOfSigningKey } from '../../keys/key-encryption.ts';
import {
  readKeyEncryptionKey,
  readNextKeyEncryptionKey,
} from '../../keys/read-key-encryption-key.ts';
import {
  keyInForceName,
  nonceSecretName,
  type SigningKeyPurpose,
} from '../../ports/signing-key-store.ts';
import type { DatabaseLook, Rows } from './database-look.ts';
import { about, type Finding, reasonOf } from './finding.ts';

const opens = about(
  'key-encryption key',
  'opens every key in the database',
  'operations/key-encryption-key.md',
);
const rotates = about('next rotation', 'in the future', 'operations/signing-keys.md');

/** Opens every sealed key, and reports when the next one takes over. */
export async function checkKeys(
  database: DatabaseLook,
  config: Config,
  now: number,
): Promise<readonly Finding[]> {
  const keys = await database.query(
    'select kid, alg, purpose, public_jwk, private_jwe, active_at, revoked_at from signing_key',
  );
  const secrets = await database.query('select name, value from shared_secret');
  const named = new Map(secrets.map(([name, value]) => [String(name), String(value)]));
  return [await checkOpening(keys, named, config), checkRotation(keys, config, now)];
}

/** Opens every key and secret of these rows with the key-encryption key. */
export async function checkOpening(
  keys: Rows,
  secrets: ReadonlyMap<string, string>,
  config: Config,
): Promise<Finding> {
  const nonceSecret = secrets.get(nonceSecretName);
  if (keys.length === 0 && nonceSecret === undefined)
    return opens.unknown('there is no key before the first start');
  const mend =
    'Restore the key-encryption key of this database: see KEY_ENCRYPTION_KEY[_FILE]. Nothing else opens these keys.';
  try {
    const current = readKeyEncryptionKey({
      ...(config.keyEncryptionKey !== undefined && { value: config.keyEncryptionKey }),
      file: config.keyEncryptionKeyFile,
      mayCreate: false,
    });
    const next = readNextKeyEncryptionKey(config.nextKeyEncryptionKey);
    const given = { current, ...(next !== undefined && { next }) };
    const encryption = keyEncryption(given, async () =>
      Promise.resolve(secrets.get(keyInForceName)),
    );
    const sealed = keys.map(([kid, alg, purpose, publicJwk, jwe]) => ({
      name: `signing key ${String(kid)}`,
      jwe: String(jwe),
      place: placeOfSigningKey({
        kid: String(kid),
        alg: String(alg),
        purpose: String(purpose) as SigningKeyPurpose,
        publicJwk: String(publicJwk),
      }),
    }));
    if (nonceSecret !== undefined)
      sealed.push({
        name: 'nonce secrets',
        jwe: nonceSecret,
        place: placeOfSecret(nonceSecretName),
      });
    const closed: string[] = [];
    for (const { name, jwe, place } of sealed)
      await encryption.open(jwe, place).catch(() => closed.push(name));
    return closed.length === 0
      ? opens.ok(`all ${sealed.length} opened`)
      : opens.fault(`does not open: ${closed.join(', ')}`, mend);
  } catch (error) {
    return opens.fault(
      found(error),
      'Give the right key: --data-directory, KEY_ENCRYPTION_KEY or KEY_ENCRYPTION_KEY_FILE.',
    );
  }
}

/** The fault of the key, without the advice for a server that starts. */
function found(error: unknown): string {
  const [fault = ''] = reasonOf(error).split('. ');
  return fault;
}

function checkRotation(keys: Rows, config: Config, now: number): Finding {
  const issuing = keys.filter(
    ([, , purpose, , , , revokedAt]) => purpose === 'issuer' && revokedAt === null,
  );
  if (issuing.length === 0) return rotates.unknown('there is no signing key yet');
  const last = new Map<string, number>();
  for (const [, alg, , , , activeAt] of issuing)
    last.set(String(alg), Math.max(Number(activeAt), last.get(String(alg)) ?? 0));
  const due = Math.min(...last.values()) + config.signingKeyRotationInterval * 1000;
  const minute = (time: number) => `${new Date(time).toISOString().slice(0, 16)}Z`;
  const announced = issuing.map((row) => Number(row[5])).filter((activeAt) => activeAt > now);
  const found = minute(due);
  return due > now
    ? rotates.ok(
        announced.length > 0 ? `${minute(Math.min(...announced))}, by an announced key` : found,
      )
    : rotates.fault(
        `was due at ${found}`,
        'Start the server, or run holdfast keys rotate: a running server rotates by itself.',
      );
}
