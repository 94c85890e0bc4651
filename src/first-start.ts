import { randomBytes } from 'node:crypto';
import {
  adminTokenHash,
  generateAdminToken,
  verifyAdminTokenAgainst,
} from './admin/admin-token.ts';
import type { Config } from './config.ts';
import {
  type KeyEncryption,
  keyEncryption,
  keyEncryptionKeyId,
  placeOfSecret,
  placeOfSigningKey,
  readKeyEncryptionKey,
  readNextKeyEncryptionKey,
} from './signing-keys/key-encryption.ts';
import {
  keyInForceName,
  nonceSecretName,
  type SharedSecretStore,
  type SigningKeyStore,
} from './signing-keys/signing-key-store.ts';

/** Secrets that a start finds, or makes on the very first start. */
export interface PreparedSecrets {
  readonly encryption: KeyEncryption;
  readonly verifyAdminToken: (presented: string) => boolean;
  /** The admin token in clear, only when this start made it. */
  readonly newAdminToken?: string;
}

const adminTokenName = 'admin_token_hash';

/** Opens the secrets at rest and makes those that are missing; of several replicas that start at once, one makes each. Throws KeyEncryptionError. */
export async function prepareSecrets(
  config: Config,
  stores: { readonly signingKeys: SigningKeyStore; readonly secrets: SharedSecretStore },
): Promise<PreparedSecrets> {
  const encryption = await prepareEncryption(config, stores);
  if (config.adminToken !== undefined)
    return {
      encryption,
      verifyAdminToken: verifyAdminTokenAgainst(adminTokenHash(config.adminToken)),
    };
  const storedHash = await stores.secrets.getSecret(adminTokenName);
  if (storedHash !== undefined)
    return { encryption, verifyAdminToken: verifyAdminTokenAgainst(storedHash) };
  const made = generateAdminToken();
  const standing = await stores.secrets.putSecretOnce(adminTokenName, adminTokenHash(made));
  const mine = standing === adminTokenHash(made);
  return {
    encryption,
    verifyAdminToken: verifyAdminTokenAgainst(standing),
    ...(mine && { newAdminToken: made }),
  };
}

/** Reads the key-encryption keys; whichever the database was sealed by is the one in force. */
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
    // A database from before keys had ids was sealed by the current key: there was no other. The check comes first, so that a wrong key is not written down.
    const id = keyEncryptionKeyId(current);
    if (sealed !== undefined)
      await keyEncryption({ current }, async () => id).open(sealed.jwe, sealed.place);
    await secrets.putSecretOnce(keyInForceName, id);
  }
  await encryption.inForce();
  return encryption;
}

/** What every later start prints. */
export function startText(config: Config, adminPort: number): string {
  return `Holdfast is running.\n  issuer     ${config.issuer}\n  admin API  ${adminUrl(config, adminPort)}\n`;
}

/** What the first start prints: the admin token, and two commands that lead to a first bound token. */
export function firstStartText(config: Config, adminPort: number, adminToken: string): string {
  const admin = adminUrl(config, adminPort);
  const secret = randomBytes(32).toString('base64url');
  const post = (path: string, body: object) =>
    `curl -sS ${admin}/${path} -H 'Authorization: Bearer ${adminToken}' -H 'Content-Type: application/json' \\\n    -d '${JSON.stringify(body)}'`;
  return `${startText(config, adminPort)}  admin token  ${adminToken}
               (shown this once; only its hash is stored. Lost it? Start with ADMIN_TOKEN set.)

1. Register a resource server and a client:

  ${post('resource-servers', { audience: 'https://api.example.com', name: 'Example API', scopes: ['read'] })}
  ${post('clients', { client_id: 'first-client', client_secret: secret, client_name: 'First client', scope: 'read' })}

2. Obtain its first bound token, and verify it as a resource server would:

  npm run -s first-token -- ${config.issuer} first-client ${secret}

`;
}

function adminUrl({ adminHost }: Config, port: number): string {
  return `http://${adminHost.includes(':') ? `[${adminHost}]` : adminHost}:${port}/admin`;
}
