import { existsSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { databaseFile, databaseKind, fileUrl } from '../config/database-url.ts';
import { developmentBanner } from '../config/development.ts';
import { packageFolder } from '../config/package.ts';
import type { NewAdminToken } from './first-start.ts';

/** The text that every later start prints. */
export function startText(config: Config, adminPort: number, tokenFile?: string): string {
  const banner = config.development ? `${developmentBanner}\n` : '';
  const token = tokenFile === undefined ? '' : `  its token  in ${tokenFile}\n`;
  return `${banner}Holdfast is running.\n  issuer     ${config.issuer}\n  admin API  ${adminUrl(config, adminPort)}\n${token}${gatewayText(config)}`;
}

/**
 * The text that the first start prints: two steps to a first bound token, unless a configuration
 * file registers clients. It contains no secrets, because it may be logged; a terminal also shows
 * the admin token.
 */
export function firstStartText(
  config: Config,
  adminPort: number,
  { token, file }: NewAdminToken,
  terminal: boolean,
): string {
  const lost = `${startText(config, adminPort)}  admin token  in ${file}${terminal ? `: ${token}` : ''}
               (the database has its hash only. Lost it? Run: ${resetCommand(config)})
`;
  return config.configurationFile === undefined
    ? `${lost}\n${firstSteps(config, adminUrl(config, adminPort), file)}\n`
    : lost;
}

function firstSteps({ issuer }: Config, admin: string, file: string): string {
  const header = `-H "Authorization: Bearer $(cat ${shellWord(file)})" -H 'Content-Type: application/json'`;
  const post = (path: string, body: string) =>
    `curl -sS ${admin}/${path} ${header} \\\n    -d ${body}`;
  const resourceServer = {
    audience: 'https://api.example.com',
    name: 'Example API',
    scopes: ['read'],
  };
  const client = { client_id: 'first-client', client_name: 'First client', scope: 'read' };
  return `1. Register a resource server and a client:

  export CLIENT_SECRET=$(head -c 32 /dev/urandom | base64 | tr -d '+/=')
  ${post('resource-servers', `'${JSON.stringify(resourceServer)}'`)}
  ${post('clients', `'${JSON.stringify(client).slice(0, -1)},"client_secret":"'$CLIENT_SECRET'"}'`)}

2. Obtain its first bound token, and ${firstTokenStep(issuer)}
`;
}

/** An installed package has the command in the path; a checkout has an example that verifies. */
function firstTokenStep(issuer: string): string {
  if (isCheckout())
    return `verify it as a resource server would:\n\n  npm run -s first-token -- ${issuer} first-client`;
  return `look into it:\n\n  HOLDFAST_CLIENT_SECRET=$CLIENT_SECRET holdfast token --issuer ${issuer} \\
    --client-id first-client --resource https://api.example.com | holdfast decode -`;
}

/** The command that creates an admin token for this server, from the folder of this process. */
function resetCommand({ databaseUrl }: Pick<Config, 'databaseUrl'>): string {
  const command = `${ownCommand()} admin-token reset`;
  if (databaseKind(databaseUrl) === 'postgresql') return `${command}, with the same DATABASE_URL`;
  const file = resolve(databaseFile(databaseUrl));
  if (basename(file) !== 'holdfast.db')
    return `DATABASE_URL=${shellWord(fileUrl(file))} ${command}`;
  const folder = dirname(file);
  const below = relative(process.cwd(), folder) || '.';
  const isBelow = !below.startsWith('..') && !isAbsolute(below);
  return `${command} --data-directory ${shellWord(isBelow ? below : folder)}`;
}

/** How a shell in the folder of this process calls the command. */
function ownCommand(): string {
  if (!isCheckout()) return 'holdfast';
  const isHere = resolve(packageFolder) === process.cwd();
  return isHere ? 'npx holdfast' : `node ${shellWord(join(packageFolder, 'bin/holdfast.js'))}`;
}

function isCheckout(): boolean {
  return existsSync(join(packageFolder, 'examples/first-token.ts'));
}

function gatewayText({ gateway }: Config): string {
  if (gateway === undefined) return '';
  const { listen } = gateway;
  return `  gateways   ${'path' in listen ? `unix:${listen.path}` : `http://${authority(listen.host, listen.port)}`}\n`;
}

/** A word of a shell command, quoted if necessary. */
function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function adminUrl({ adminHost, adminTls }: Config, port: number): string {
  return `http${adminTls === undefined ? '' : 's'}://${authority(adminHost, port)}/admin`;
}

/** The address for programs on this machine, since a wildcard address cannot be opened. */
function authority(host: string, port: number): string {
  const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${own.includes(':') ? `[${own}]` : own}:${port}`;
}
