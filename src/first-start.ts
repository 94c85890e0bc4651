import { randomBytes } from 'node:crypto';
import { adminTokenHash, generateAdminToken, verifyAdminTokenAgainst } from './admin/admin-token.ts';
import type { Config } from './config.ts';
import { type KeyEncryption, keyEncryption, readKeyEncryptionKey } from './signing-keys/key-encryption.ts';
import type { SharedSecretStore, SigningKeyStore } from './signing-keys/signing-key-store.ts';

/** Secrets that a start finds, or makes on the very first start. */
export interface PreparedSecrets {
  readonly encryption: KeyEncryption;
  readonly nonceSecret: Buffer;
  readonly verifyAdminToken: (presented: string) => boolean;
  /** The admin token in clear, only when this start made it. */
  readonly newAdminToken?: string;
}

const nonceSecretName = 'dpop_nonce_secret';
const adminTokenName = 'admin_token_hash';

/** Opens the secrets at rest and makes those that are missing; of several replicas that start at once, one makes each. Throws KeyEncryptionError. */
export async function prepareSecrets(
  config: Config,
  stores: { readonly signingKeys: SigningKeyStore; readonly secrets: SharedSecretStore },
): Promise<PreparedSecrets> {
  const sealedAlready = (await stores.signingKeys.listSigningKeys()).length > 0 || (await stores.secrets.getSecret(nonceSecretName)) !== undefined;
  const key = readKeyEncryptionKey({
    ...(config.keyEncryptionKey !== undefined && { value: config.keyEncryptionKey }),
    file: config.keyEncryptionKeyFile,
    mayCreate: !sealedAlready,
  });
  const encryption = keyEncryption(key);
  const sealedNonceSecret =
    (await stores.secrets.getSecret(nonceSecretName)) ??
    (await stores.secrets.putSecretOnce(nonceSecretName, await encryption.seal(randomBytes(32).toString('base64url'))));
  const nonceSecret = Buffer.from(await encryption.open(sealedNonceSecret), 'base64url');

  if (config.adminToken !== undefined)
    return { encryption, nonceSecret, verifyAdminToken: verifyAdminTokenAgainst(adminTokenHash(config.adminToken)) };
  const storedHash = await stores.secrets.getSecret(adminTokenName);
  if (storedHash !== undefined) return { encryption, nonceSecret, verifyAdminToken: verifyAdminTokenAgainst(storedHash) };
  const made = generateAdminToken();
  const standing = await stores.secrets.putSecretOnce(adminTokenName, adminTokenHash(made));
  const mine = standing === adminTokenHash(made);
  return { encryption, nonceSecret, verifyAdminToken: verifyAdminTokenAgainst(standing), ...(mine && { newAdminToken: made }) };
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
