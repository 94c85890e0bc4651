import { stringify } from 'yaml';
import {
  type ConfigurationFile,
  ConfigurationFileError,
  readConfigurationFile,
} from '../admin/configuration/file.ts';
import { type Configuration, configurationFileSchema } from '../admin/configuration/schemas.ts';
import { undeclared } from '../admin/configuration/undeclared.ts';
import { declaredSecrets } from '../config/declared-secrets.ts';
import { type AdminApi, AdminRefusal, adminApi } from './admin-api.ts';
import { configurationError, exitCodes } from './exit-codes.ts';
import { readInput } from './secret.ts';
import { printable, printJson, type Terminal } from './terminal.ts';

export interface ApplyOptions {
  readonly file: string;
  readonly prune?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly adminUrl?: string;
}

interface Plan {
  readonly changes: readonly {
    readonly kind: string;
    readonly name: string;
    readonly action: keyof typeof signs;
    readonly members: readonly {
      readonly member: string;
      readonly before?: unknown;
      readonly after?: unknown;
    }[];
  }[];
  readonly unchanged: number;
}

const signs = { create: '+', change: '~', replace: '!', delete: '-' } as const;

/** Milliseconds; thousands of clients take a while. */
const patience = 300_000;

/** Prints the plan, and applies the file. */
export async function apply(terminal: Terminal, options: ApplyOptions): Promise<void> {
  const file = await fileOf(terminal, options.file);
  const api = await adminApi(terminal, options.adminUrl);
  const { plan, etag } = await planOf(api, file, options);
  await warnOfMissing(terminal, api, file, plan);
  if (options.json !== true) print(terminal, plan, false);
  if (options.json === true && (options.dryRun === true || plan.changes.length === 0))
    return printJson(terminal, plan);
  if (options.dryRun === true || plan.changes.length === 0) return;
  // Applies exactly the printed plan: fails if something has changed since.
  const done = await send(api, file, { prune: options.prune === true, ifMatch: etag });
  if (options.json === true) printJson(terminal, done.body);
  else terminal.stdout.write('Applied.\n');
}

/** Prints the differences with values; returns exit code 6 if there are any. */
export async function diff(terminal: Terminal, options: ApplyOptions): Promise<number> {
  const file = await fileOf(terminal, options.file);
  const api = await adminApi(terminal, options.adminUrl);
  const { plan } = await planOf(api, file, options);
  await warnOfMissing(terminal, api, file, plan);
  if (options.json === true) printJson(terminal, plan);
  else print(terminal, plan, true);
  return plan.changes.length === 0 ? exitCodes.ok : exitCodes.differences;
}

/** Prints the registrations as a file, without secrets. */
export async function printExport(
  terminal: Terminal,
  options: Pick<ApplyOptions, 'json' | 'adminUrl'>,
): Promise<void> {
  const api = await adminApi(terminal, options.adminUrl);
  const { body } = await api({ method: 'GET', path: ['configuration'] });
  if (options.json === true) return printJson(terminal, body);
  terminal.stdout.write(stringify(body, { lineWidth: 100 }));
}

/** Prints the JSON Schema of a configuration file, for editors. */
export function printSchema({ stdout }: Pick<Terminal, 'stdout'>): void {
  stdout.write(`${JSON.stringify(configurationFileSchema(), null, 2)}\n`);
}

async function fileOf(terminal: Terminal, path: string): Promise<ConfigurationFile> {
  const text = await readInput(terminal, path);
  try {
    return readConfigurationFile(path, text, declaredSecrets(terminal.env));
  } catch (error) {
    if (error instanceof ConfigurationFileError) throw faulty(error.message);
    throw error;
  }
}

/** The plan of a dry run. Throws CommandError (exit code 5) with every fault. */
async function planOf(
  api: AdminApi,
  file: ConfigurationFile,
  { prune = false }: ApplyOptions,
): Promise<{ readonly plan: Plan; readonly etag: string }> {
  try {
    const { body, headers } = await send(api, file, { prune, dryRun: true });
    if (file.faults.length > 0) throw faulty(file.lines(file.faults));
    return { plan: body as Plan, etag: headers.get('etag') ?? '*' };
  } catch (error) {
    const refused =
      error instanceof AdminRefusal && [400, 403].includes(error.status) ? error : undefined;
    const faults = [...file.faults, ...(refused?.problem.errors ?? [])];
    // Faults of the file are reported even without a server.
    if (faults.length > 0) throw faulty(file.lines(faults));
    throw error;
  }
}

/** Warns of names that are neither declared nor registered, or that the plan deletes. */
async function warnOfMissing(
  { stderr }: Terminal,
  api: AdminApi,
  file: ConfigurationFile,
  { changes }: Plan,
): Promise<void> {
  const declared = file.body as Configuration;
  if (undeclared(declared).length === 0) return;
  const registered = await api({ method: 'GET', path: ['configuration'] }).catch(
    (error: unknown) => {
      if (!(error instanceof AdminRefusal) || error.status < 500) throw error;
    },
  );
  if (registered === undefined) {
    stderr.write('warning: whether the names that it mentions exist could not be checked\n');
    return;
  }
  const { clients = [], resource_servers: servers = [] } = registered.body as Configuration;
  const stays = (kind: string, name: string) =>
    !changes.some((one) => one.action === 'delete' && one.kind === kind && one.name === name);
  const missing = undeclared(declared, {
    clients: clients.map((one) => one.client_id).filter((name) => stays('client', name)),
    audiences: servers.map((one) => one.audience).filter((name) => stays('resource_server', name)),
  });
  if (missing.length === 0) return;
  for (const line of file.lines(missing).split('\n')) stderr.write(`warning: ${printable(line)}\n`);
}

async function send(
  api: AdminApi,
  { body }: ConfigurationFile,
  {
    prune,
    dryRun = false,
    ifMatch,
  }: { readonly prune: boolean; readonly dryRun?: boolean; readonly ifMatch?: string },
) {
  return api({
    method: 'POST',
    path: ['configuration'],
    query: { dry_run: String(dryRun), prune: String(prune) },
    body,
    slow: dryRun
      ? { timeout: patience, advice: 'Nothing was changed.' }
      : { timeout: patience, advice: 'All of it may have been applied, or nothing: run diff.' },
    ...(ifMatch !== undefined && { headers: { 'if-match': ifMatch } }),
  });
}

function faulty(lines: string) {
  const shown = lines.split('\n').map(printable).join('\n');
  return configurationError(`The file has faults:\n${shown}`);
}

function print({ stdout }: Terminal, { changes, unchanged }: Plan, withValues: boolean): void {
  for (const { action, kind, name, members } of changes) {
    const shown =
      !withValues && action === 'change'
        ? `: ${members.map((each) => each.member).join(', ')}`
        : '';
    stdout.write(`${signs[action]} ${printable(`${kind.replaceAll('_', ' ')} ${name}${shown}`)}\n`);
    for (const { member, ...values } of withValues ? members : [])
      stdout.write(`    ${printable(`${member}: ${valuesOf(values)}`)}\n`);
  }
  const counted = Object.keys(signs).map((action) => {
    const count = changes.filter((change) => change.action === action).length;
    return count === 0 ? [] : [`${count} to ${action}`];
  });
  stdout.write(`${[...counted.flat(), `${unchanged} as declared`].join(', ')}\n`);
}

function valuesOf(values: { readonly before?: unknown; readonly after?: unknown }): string {
  const text = (value: unknown) => (value === undefined ? '(nothing)' : JSON.stringify(value));
  if (!('before' in values) && !('after' in values)) return '(a secret)';
  if (!('before' in values)) return text(values.after);
  return `${text(values.before)} -> ${text(values.after)}`;
}
