import { existsSync } from 'node:fs';
import { adminTokenHash, generateAdminToken } from '../admin/admin-token.ts';
import type { Config } from '../config/config.ts';
import { adminTokenFile } from '../config/store-config.ts';
import { defined } from '../domain/defined.ts';
import {
  type KeyEncryption,
  keyEncryption,
  keyEncryptionKeyId,
  placeOfSecret,
  placeOfSigningKey,
} from '../keys/key-encryption.ts';
import { readKeyEncryptionKey, readNextKeyEncryptionKey } from '../keys/read-key-encryption-key.ts';
import {
  keyInForceName,
  nonceSecretName,
  type SharedSecretStore,
  type SigningKeyStore,
} from '../ports/signing-key-store.ts';
import { adminTokenTaken, draftAdminToken, savedAdminToken } from './admin-token-file.ts';

/** The admin token in clear, and the file from which the operator reads it. */
export interface NewAdminToken {
  readonly token: string;
  readonly file: string;
}

/** Secrets that a start finds, or creates on the very first start. */
export interface PreparedSecrets {
  readonly encryption: KeyEncryption;
  /** base64url SHA-256 of the first admin token. */
  readonly bootstrapHash: string;
  /** The admin token and its file, only if this start created it. */
  readonly newAdminToken?: NewAdminToken;
  /** The file of the admin token of an earlier start, while that is accepted. */
  readonly adminTokenFile?: string;
}

/** The name under which the hash of a generated first token is stored. */
export const adminTokenName = 'admin_token_hash';

/**
 * Opens the secrets at rest and creates missing ones; if several replicas start together, only one
 * creates each. Throws KeyEncryptionError.
 */
export async function prepareSecrets(
  config: Config,
  stores: { readonly signingKeys: SigningKeyStore; readonly secrets: SharedSecretStore },
): Promise<PreparedSecrets> {
  const encryption = await prepareEncryption(config, stores);
  if (config.adminToken !== undefined)
    return { encryption, bootstrapHash: adminTokenHash(config.adminToken) };
  const storedHash = await stores.secrets.getSecret(adminTokenName);
  if (storedHash !== undefined) {
    const saved = await savedAdminToken(config, storedHash, stores.secrets);
    return { encryption, bootstrapHash: storedHash, ...defined({ adminTokenFile: saved }) };
  }
  const { hash, made } = await makeAdminToken(config, stores.secrets);
  return { encryption, bootstrapHash: hash, ...defined({ newAdminToken: made }) };
}

/** If several replicas start together, one creates the token; the others get its hash. */
async function makeAdminToken(
  { keyEncryptionKeyFile }: Config,
  secrets: SharedSecretStore,
): Promise<{ readonly hash: string; readonly made?: NewAdminToken }> {
  const file = adminTokenFile(keyEncryptionKeyFile);
  const draft = draftAdminToken(file, generateAdminToken());
  try {
    if (existsSync(file)) {
      // Another process may have created both after the database was checked.
      const hash = await secrets.getSecret(adminTokenName);
      if (hash === undefined) throw adminTokenTaken(file);
      draft.discard();
      return { hash };
    }
    const own = adminTokenHash(draft.token);
    const hash = await secrets.putSecretOnce(adminTokenName, own);
    if (hash !== own) {
      draft.discard();
      return { hash };
    }
  } catch (error) {
    draft.discard();
    throw error;
  }
  draft.keep();
  return { hash: adminTokenHash(draft.token), made: { token: draft.token, file } };
}

/** Reads the key-encryption keys; the one that the database was sealed with is in use. */
async function prepareEncryption(
  config: Config,
  {
    signingKeys,
    secrets,
  }: { readonly signingKeys: SigningKeyStore; readonly secrets: SharedSecretStore },
): Promise<KeyEncryption> {
  const nonceSecret = await secrets.getSecret(nonceSecretName);
  const [signingKey] = (await signingKeys.listSigningKeys()).keys;
  const sealed =
    nonceSecret !== undefined
      ? { jwe: nonceSecret, place: placeOfSecret(nonceSecretName) }
      : signingKey && { jwe: signingKey.privateJwe, place: placeOfSigningKey(signingKey) };
  const current = readKeyEncryptionKey({
    ...(config.keyEncryptionKey !== undefined && { value: config.keyEncryptionKey }),
    file: config.keyEncryptionKeyFile,
    mayCreate: sealed === undefined && (await secrets.getSecret(keyInForceName)) === undefined,
  });
  const next = readNextKeyEncryptionKey(config.nextKeyEncryptionKey);
  const encryption = keyEncryption({ current, ...(next !== undefined && { next }) }, async () =>
    secrets.getSecret(keyInForceName),
  );
  if ((await secrets.getSecret(keyInForceName)) === undefined) {
    // A database from before keys had ids was sealed with the current key, the only one. It is
    // checked first, so that a wrong key is not recorded.
    const id = keyEncryptionKeyId(current);
    if (sealed !== undefined)
      await keyEncryption({ current }, async () => id).open(sealed.jwe, sealed.place);
    await secrets.putSecretOnce(keyInForceName, id);
  }
  await encryption.inForce();
  return encryption;
}
