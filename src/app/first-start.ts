import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { adminTokenHash, generateAdminToken } from '../admin/admin-token.ts';
import type { Config } from '../config/config.ts';
import { developmentBanner } from '../config/development.ts';
import { packageFolder } from '../config/package.ts';
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

/** The text that every later start prints. */
export function startText(config: Config, adminPort: number, tokenFile?: string): string {
  const banner = config.development ? `${developmentBanner}\n` : '';
  const token = tokenFile === undefined ? '' : `  its token  in ${tokenFile}\n`;
  return `${banner}Holdfast is running.\n  issuer     ${config.issuer}\n  admin API  ${adminUrl(config, adminPort)}\n${token}${gatewayText(config)}`;
}

/**
 * The text that the first start prints: two steps to a first bound token. It contains no secrets,
 * because it may be logged; a terminal also shows the admin token.
 */
export function firstStartText(
  config: Config,
  adminPort: number,
  { token, file }: NewAdminToken,
  terminal: boolean,
): string {
  const admin = adminUrl(config, adminPort);
  const header = `-H "Authorization: Bearer $(cat ${shellWord(file)})" -H 'Content-Type: application/json'`;
  const post = (path: string, body: string) =>
    `curl -sS ${admin}/${path} ${header} \\\n    -d ${body}`;
  const resourceServer = {
    audience: 'https://api.example.com',
    name: 'Example API',
    scopes: ['read'],
  };
  const client = { client_id: 'first-client', client_name: 'First client', scope: 'read' };
  return `${startText(config, adminPort)}  admin token  in ${file}${terminal ? `: ${token}` : ''}
               (the database has its hash only. Lost it? Run: holdfast admin-token reset)

1. Register a resource server and a client:

  export CLIENT_SECRET=$(head -c 32 /dev/urandom | base64 | tr -d '+/=')
  ${post('resource-servers', `'${JSON.stringify(resourceServer)}'`)}
  ${post('clients', `'${JSON.stringify(client).slice(0, -1)},"client_secret":"'$CLIENT_SECRET'"}'`)}

2. Obtain its first bound token, and ${firstTokenStep(config.issuer)}

`;
}

/** An installed package has the command in the path; a checkout has an example that verifies. */
function firstTokenStep(issuer: string): string {
  if (existsSync(join(packageFolder, 'examples/first-token.ts')))
    return `verify it as a resource server would:\n\n  npm run -s first-token -- ${issuer} first-client`;
  return `look into it:\n\n  HOLDFAST_CLIENT_SECRET=$CLIENT_SECRET holdfast token --issuer ${issuer} \\
    --client-id first-client --resource https://api.example.com | holdfast decode -`;
}

function gatewayText({ gateway }: Config): string {
  if (gateway === undefined) return '';
  const { listen } = gateway;
  return `  gateways   ${'path' in listen ? `unix:${listen.path}` : `http://${authority(listen.host, listen.port)}`}\n`;
}

/** A word of a shell command, quoted if necessary. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function adminUrl({ adminHost, adminTls }: Config, port: number): string {
  return `http${adminTls === undefined ? '' : 's'}://${authority(adminHost, port)}/admin`;
}

/** The address for programs on this machine, since a wildcard address cannot be opened. */
function authority(host: string, port: number): string {
  const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${own.includes(':') ? `[${own}]` : own}:${port}`;
}
